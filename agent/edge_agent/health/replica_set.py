"""ReplicaSet: all replicas available; a failure to make them is Degraded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.model import (
    DEGRADED,
    HEALTHY,
    PROGRESSING,
    Health,
    conditions,
    count,
    section,
    unobserved,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


def replica_set(live: Mapping[str, Any]) -> Health:
    """Judge a ReplicaSet."""
    spec, status = section(live, "spec"), section(live, "status")
    if unobserved(live):
        return Health(PROGRESSING, "the controller has not seen the latest change yet")
    failure = conditions(live).get("ReplicaFailure", {})
    if failure.get("status") == "True":
        return Health(
            DEGRADED, str(failure.get("message") or failure.get("reason") or "replicas can't be made")
        )
    wanted, available = count(spec, "replicas"), count(status, "availableReplicas")
    if spec.get("replicas") is not None and available < wanted:
        return Health(PROGRESSING, f"{available} of {wanted} replicas available")
    return Health(HEALTHY)
