"""What tests of operations share: what is asked, and what is waited for."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from .site import Agent, config_map

BY_HAND: dict[str, Any] = {}
ONE, TWO = [config_map("a", {"v": "1"}), config_map("gone")], [config_map("a", {"v": "2"})]
NEVER = {"limit": -1, "backoff": {"duration": "1h", "maxDuration": "1h"}}
# A first wave that does not become healthy: its volume is never bound.
STUCK = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "stuck", "annotations": {"argocd.argoproj.io/sync-wave": "-1"}},
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "of-no-provisioner",
        "resources": {"requests": {"storage": "1Mi"}},
    },
}


def phase(document: dict[str, Any]) -> str:
    return str(document.get("operationState", {}).get("phase", ""))


def waits_for_health(document: dict[str, Any]) -> bool:
    return phase(document) == "Running" and "stuck" in document["operationState"]["message"]


def ids(document: dict[str, Any]) -> list[int]:
    return [entry["id"] for entry in document.get("history", ())]


def is_about(document: dict[str, Any], revision: str) -> bool:
    return bool(document["sync"]["revision"] == revision)


def was_deployed(document: dict[str, Any], times: int) -> bool:
    return len(ids(document)) == times


async def deployed(agent: Agent, app: str, *bundles: list[dict[str, Any]]) -> dict[str, Any]:
    """Have bundles synced by hand, one after the other."""
    for number, manifests in enumerate(bundles):
        agent.desire(app, manifests, sync=BY_HAND)
        await agent.until(app, partial(is_about, revision=f"r{agent._generation}"))
        await agent.settle(app)
        agent.ask(app, prune=True, initiated_by="jo")
        await agent.until(app, partial(was_deployed, times=number + 1))
        await agent.settle(app)
    document = agent.applications.document(app)
    assert document
    return document


def as_text(manifests: list[dict[str, Any]]) -> str:
    return json.dumps(manifests)
