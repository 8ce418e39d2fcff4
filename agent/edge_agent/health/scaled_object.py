"""KEDA's ScaledObject and ScaledJob: ready; Degraded on its fallback; Suspended while paused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.conditions import said
from edge_agent.health.model import DEGRADED, HEALTHY, PROGRESSING, SUSPENDED, Health, conditions

if TYPE_CHECKING:
    from collections.abc import Mapping


def scaled_object(live: Mapping[str, Any]) -> Health:
    """Judge a ScaledObject or ScaledJob."""
    found = conditions(live)
    ready = found.get("Ready", {})
    unknown = live.get("kind") == "ScaledJob" and ready.get("status") == "Unknown"
    if ready.get("status") == "False" or unknown:
        return Health(DEGRADED, said(ready))
    if found.get("Fallback", {}).get("status") == "True":
        return Health(DEGRADED, said(found["Fallback"]))
    if ready.get("status") != "True":
        return Health(PROGRESSING, "has not been taken up yet")
    if found.get("Paused", {}).get("status") == "True":
        return Health(SUSPENDED, said(found["Paused"]))
    return Health(HEALTHY, said(ready))
