"""Health: its six words, their order, and one object's verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Status = Literal["Healthy", "Suspended", "Progressing", "Missing", "Degraded", "Unknown"]

HEALTHY: Final = "Healthy"
SUSPENDED: Final = "Suspended"
PROGRESSING: Final = "Progressing"
MISSING: Final = "Missing"
DEGRADED: Final = "Degraded"
UNKNOWN: Final = "Unknown"

ORDER: Final[tuple[Status, ...]] = (HEALTHY, SUSPENDED, PROGRESSING, MISSING, DEGRADED, UNKNOWN)
"""Best first, as Argo CD orders them (argo-cd, gitops-engine `pkg/health`)."""


@dataclass(frozen=True, slots=True)
class Health:
    """One object's health. `counts_as` is what a sync that waits for the object takes it for, where that
    differs.
    """

    status: Status
    message: str = ""
    counts_as: Status | None = None


def worst(statuses: list[Status]) -> Status:
    """Return the worst of the statuses; Healthy when there is none."""
    return max(statuses, key=ORDER.index, default=HEALTHY)


def section(live: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a part of an object that may be absent: `status`, `spec`."""
    found = live.get(name)
    return found if isinstance(found, Mapping) else {}


def count(part: Mapping[str, Any], field: str) -> int:
    """Return a number that the server leaves out when it is zero."""
    return int(part.get(field) or 0)


def conditions(live: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the object's conditions by type."""
    found = section(live, "status").get("conditions") or ()
    return {str(condition.get("type")): condition for condition in found if isinstance(condition, Mapping)}


def unobserved(live: Mapping[str, Any]) -> bool:
    """Say whether the controller has not looked at the newest spec yet: its status is about an older one."""
    return count(section(live, "metadata"), "generation") > count(
        section(live, "status"), "observedGeneration"
    )
