"""ClusterExternalSecret: its newest condition counts; older ones stay in the list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.conditions import said
from edge_agent.health.model import DEGRADED, HEALTHY, PROGRESSING, Health, section

if TYPE_CHECKING:
    from collections.abc import Mapping


def cluster_external_secret(live: Mapping[str, Any]) -> Health:
    """Judge a ClusterExternalSecret."""
    newest = (section(live, "status").get("conditions") or [{}])[-1]
    if newest.get("status") == "True":
        if newest.get("type") == "Ready":
            return Health(HEALTHY, said(newest))
        if newest.get("type") in ("PartiallyReady", "NotReady"):
            return Health(DEGRADED, said(newest))
    return Health(PROGRESSING, "the controller has not judged it yet")
