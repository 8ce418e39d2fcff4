"""Flux's kinds: sources, Kustomization, HelmRelease, image automation, Receiver.

All follow one convention: `Ready` says how the last reconciliation went, `Reconciling` that another is on its
way, `spec.suspend` that none will be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.model import (
    DEGRADED,
    HEALTHY,
    PROGRESSING,
    SUSPENDED,
    Health,
    conditions,
    section,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


def flux(live: Mapping[str, Any]) -> Health:
    """Judge an object of Flux's."""
    spec = section(live, "spec")
    if spec.get("suspend") is True:
        return Health(SUSPENDED, "is suspended")
    if live.get("kind") == "HelmRepository" and spec.get("type") == "oci":
        return Health(HEALTHY, "is of type oci, which has no status")
    found = conditions(live)
    ready = found.get("Ready")
    if ready is None:
        return Health(PROGRESSING, "has not been reconciled yet")
    reason = str(ready.get("reason") or "")
    match ready.get("status"):
        case "True":
            return Health(HEALTHY, reason)
        case "False":
            return Health(DEGRADED, f"{reason}: {ready['message']}" if ready.get("message") else reason)
    return Health(PROGRESSING, reason)
