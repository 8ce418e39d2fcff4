"""DaemonSet: updated and available on every node that should run it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.model import HEALTHY, PROGRESSING, Health, count, section, unobserved

if TYPE_CHECKING:
    from collections.abc import Mapping


def daemon_set(live: Mapping[str, Any]) -> Health:
    """Judge a DaemonSet."""
    status = section(live, "status")
    if unobserved(live):
        return Health(PROGRESSING, "the controller has not seen the latest change yet")
    if section(section(live, "spec"), "updateStrategy").get("type") == "OnDelete":
        return Health(HEALTHY)
    wanted, updated = count(status, "desiredNumberScheduled"), count(status, "updatedNumberScheduled")
    if updated < wanted:
        return Health(PROGRESSING, f"updated on {updated} of {wanted} nodes")
    available = count(status, "numberAvailable")
    if available < wanted:
        return Health(PROGRESSING, f"available on {available} of {wanted} nodes")
    return Health(HEALTHY)
