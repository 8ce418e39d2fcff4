"""APIService: available, so that the server can pass its requests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.model import HEALTHY, PROGRESSING, Health, conditions

if TYPE_CHECKING:
    from collections.abc import Mapping


def api_service(live: Mapping[str, Any]) -> Health:
    """Judge an APIService."""
    available = conditions(live).get("Available")
    if available is None:
        return Health(PROGRESSING, "the server has not judged it yet")
    message = f"{available.get('reason', '')}: {available.get('message', '')}"
    return Health(HEALTHY if available.get("status") == "True" else PROGRESSING, message)
