"""VolumeSnapshot and VolumeSnapshotContent: ready to use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.model import DEGRADED, HEALTHY, PROGRESSING, Health, section

if TYPE_CHECKING:
    from collections.abc import Mapping


def volume_snapshot(live: Mapping[str, Any]) -> Health:
    """Judge a VolumeSnapshot or what it is bound to."""
    status = section(live, "status")
    if status.get("readyToUse") is True:
        return Health(HEALTHY)
    if status.get("error") is not None:
        return Health(DEGRADED, str(section(status, "error").get("message") or "the snapshot failed"))
    return Health(PROGRESSING, "the snapshot is being taken")
