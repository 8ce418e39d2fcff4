"""Prometheus (of its operator): all instances available."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.conditions import said
from edge_agent.health.model import DEGRADED, HEALTHY, PROGRESSING, Health, conditions

if TYPE_CHECKING:
    from collections.abc import Mapping


def prometheus(live: Mapping[str, Any]) -> Health:
    """Judge a Prometheus."""
    available = conditions(live).get("Available")
    if available is None:
        return Health(PROGRESSING, "the operator has not taken it up yet")
    if available.get("status") == "True":
        return Health(HEALTHY)
    starting = available.get("reason") == "SomePodsNotReady"
    return Health(PROGRESSING if starting else DEGRADED, said(available))
