"""Gateway (Gateway API): accepted, its references resolved, and programmed, as are its listeners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.conditions import said
from edge_agent.health.model import DEGRADED, HEALTHY, PROGRESSING, Health, section

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def gateway(live: Mapping[str, Any]) -> Health:
    """Judge a Gateway."""
    status = section(live, "status")
    listeners = status.get("listeners") or ()
    if "conditions" not in status and not listeners:
        return Health(PROGRESSING, "no controller has taken it up yet")
    trouble = unprogrammed(status.get("conditions") or (), "")
    for listener in listeners:
        trouble = trouble or unprogrammed(
            listener.get("conditions") or (), f"listener {listener.get('name')}: "
        )
    return trouble or Health(HEALTHY)


def unprogrammed(conditions: Iterable[Mapping[str, Any]], who: str) -> Health | None:
    """Return what is wrong, by the conditions that Gateway API's kinds share; None: nothing."""
    found = {str(condition.get("type")): condition for condition in conditions}
    for kind in ("ResolvedRefs", "Accepted"):
        if found.get(kind, {}).get("status") == "False":
            return Health(DEGRADED, f"{who}{said(found[kind]) or f'{kind} is False'}")
    if "Programmed" in found and found["Programmed"].get("status") != "True":
        return Health(PROGRESSING, f"{who}{said(found['Programmed']) or 'is being programmed'}")
    return None
