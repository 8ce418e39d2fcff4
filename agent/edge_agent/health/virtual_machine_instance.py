"""KubeVirt's VirtualMachineInstance: by its phase, and ready while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.conditions import said
from edge_agent.health.model import (
    DEGRADED,
    HEALTHY,
    PROGRESSING,
    SUSPENDED,
    UNKNOWN,
    Health,
    Status,
    conditions,
    section,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_BY_PHASE: Mapping[str, Status] = {
    "Failed": DEGRADED,
    "Pending": PROGRESSING,
    "Scheduling": PROGRESSING,
    "Scheduled": PROGRESSING,
    "Succeeded": SUSPENDED,
    "Unknown": UNKNOWN,
}


def virtual_machine_instance(live: Mapping[str, Any]) -> Health:
    """Judge a VirtualMachineInstance."""
    phase = str(section(live, "status").get("phase") or "")
    if phase in _BY_PHASE:
        return Health(_BY_PHASE[phase], phase)
    found = conditions(live)
    if found.get("Paused", {}).get("status") == "True":
        return Health(SUSPENDED, said(found["Paused"]))
    if "Ready" not in found:
        return Health(PROGRESSING, phase)
    if found["Ready"].get("status") == "True":
        return Health(HEALTHY, phase)
    return Health(DEGRADED, said(found["Ready"]))
