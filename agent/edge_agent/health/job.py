"""Job: Healthy once complete, Degraded once failed, Suspended while it is held back on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.model import DEGRADED, HEALTHY, PROGRESSING, SUSPENDED, Health, conditions

if TYPE_CHECKING:
    from collections.abc import Mapping


def job(live: Mapping[str, Any]) -> Health:
    """Judge a Job. A sync that waits for a suspended one takes it as done: nothing else will come of it."""
    found = conditions(live)
    if _holds(found, "Failed"):
        return Health(DEGRADED, str(found["Failed"].get("message") or ""))
    if _holds(found, "Complete"):
        return Health(HEALTHY, str(found["Complete"].get("message") or ""))
    if _holds(found, "Suspended"):
        return Health(SUSPENDED, str(found["Suspended"].get("message") or ""), counts_as=HEALTHY)
    return Health(PROGRESSING)


def _holds(found: Mapping[str, Mapping[str, Any]], kind: str) -> bool:
    return kind in found and found[kind].get("status") == "True"
