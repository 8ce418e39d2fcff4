"""KubeVirt's VirtualMachine: runs; one that is stopped or paused is Suspended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.model import HEALTHY, PROGRESSING, SUSPENDED, Health, conditions, section

if TYPE_CHECKING:
    from collections.abc import Mapping


def virtual_machine(live: Mapping[str, Any]) -> Health:
    """Judge a VirtualMachine."""
    found, status = conditions(live), section(live, "status")
    message = str(status.get("printableStatus") or "")
    if found.get("Paused", {}).get("status") == "True":
        return Health(SUSPENDED, message or "Paused")
    if "Ready" not in found:
        return Health(PROGRESSING, message)
    if found["Ready"].get("status") == "True":
        return Health(HEALTHY, message or "Running")
    return Health(PROGRESSING, message) if status.get("created") else Health(SUSPENDED, message or "Stopped")
