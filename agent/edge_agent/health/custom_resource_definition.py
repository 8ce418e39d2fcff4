"""CustomResourceDefinition: its names accepted, established, its schema structural."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.model import DEGRADED, HEALTHY, PROGRESSING, Health, conditions

if TYPE_CHECKING:
    from collections.abc import Mapping


def custom_resource_definition(live: Mapping[str, Any]) -> Health:
    """Judge a CustomResourceDefinition."""
    found = conditions(live)
    if not found:
        return Health(PROGRESSING, "the server has not judged it yet")
    if _is(found, "Terminating", "True"):
        return Health(PROGRESSING, f"is being deleted: {found['Terminating'].get('message', '')}")
    if _is(found, "NamesAccepted", "False"):
        return Health(DEGRADED, f"its names are not accepted: {found['NamesAccepted'].get('message', '')}")
    if not _is(found, "Established", "True"):
        if found.get("Established", {}).get("reason") == "Installing":
            return Health(PROGRESSING, "is being installed")
        return Health(DEGRADED, "is not established")
    if _is(found, "NonStructuralSchema", "True"):
        return Health(
            DEGRADED, f"its schema is not structural: {found['NonStructuralSchema'].get('message', '')}"
        )
    return Health(HEALTHY)


def _is(found: Mapping[str, Mapping[str, Any]], kind: str, status: str) -> bool:
    return kind in found and found[kind].get("status") == status
