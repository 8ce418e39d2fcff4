"""Argo Workflow: by its phase."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.model import DEGRADED, HEALTHY, PROGRESSING, UNKNOWN, Health, section

if TYPE_CHECKING:
    from collections.abc import Mapping


def workflow(live: Mapping[str, Any]) -> Health:
    """Judge a Workflow."""
    status = section(live, "status")
    message = str(status.get("message") or "")
    match status.get("phase") or "":
        case "" | "Pending" | "Running":
            return Health(PROGRESSING, message)
        case "Succeeded":
            return Health(HEALTHY, message)
        case "Failed" | "Error":
            return Health(DEGRADED, message)
    return Health(UNKNOWN, message)
