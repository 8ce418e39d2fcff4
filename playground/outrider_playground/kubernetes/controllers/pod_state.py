"""What a pod's status says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..ages import read_time
from .conditions import condition

if TYPE_CHECKING:
    from datetime import datetime

    from ..values import Manifest


def is_active(pod: Manifest) -> bool:
    """Whether a pod counts: neither over nor on its way out."""
    return pod["status"].get("phase") not in {"Succeeded", "Failed"} and not pod["metadata"].get(
        "deletionTimestamp"
    )


def is_ready(pod: Manifest) -> bool:
    """Whether a pod says that it is ready."""
    found = condition(pod["status"].get("conditions"), "Ready")
    return found is not None and found["status"] == "True"


def is_available(pod: Manifest, min_ready_s: int, now: datetime) -> bool:
    """Whether a pod has been ready for long enough."""
    found = condition(pod["status"].get("conditions"), "Ready")
    if found is None or found["status"] != "True":
        return False
    if not min_ready_s:
        return True
    return (now - read_time(found["lastTransitionTime"])).total_seconds() >= min_ready_s
