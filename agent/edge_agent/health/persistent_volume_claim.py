"""PersistentVolumeClaim: by its phase."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.model import DEGRADED, HEALTHY, PROGRESSING, UNKNOWN, Health, section

if TYPE_CHECKING:
    from collections.abc import Mapping


def persistent_volume_claim(live: Mapping[str, Any]) -> Health:
    """Judge a PersistentVolumeClaim."""
    match section(live, "status").get("phase"):
        case "Bound":
            return Health(HEALTHY)
        case "Pending":
            return Health(PROGRESSING)
        case "Lost":
            return Health(DEGRADED, "its volume is lost")
    return Health(UNKNOWN)
