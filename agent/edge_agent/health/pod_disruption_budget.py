"""PodDisruptionBudget: Degraded when its conditions say no, but for too few Pods: that can be meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.model import DEGRADED, HEALTHY, PROGRESSING, Health, conditions

if TYPE_CHECKING:
    from collections.abc import Mapping


def pod_disruption_budget(live: Mapping[str, Any]) -> Health:
    """Judge a PodDisruptionBudget."""
    found = conditions(live)
    if not found:
        return Health(PROGRESSING, "the controller has not judged it yet")
    for condition in found.values():
        reason = str(condition.get("reason") or "")
        if condition.get("status") == "False" and reason != "InsufficientPods":
            return Health(DEGRADED, str(condition.get("message") or reason))
    return Health(HEALTHY, ", ".join(str(condition.get("reason") or "") for condition in found.values()))
