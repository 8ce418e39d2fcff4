"""Deployment: all replicas updated and available; past its progress deadline it is Degraded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.model import (
    DEGRADED,
    HEALTHY,
    PROGRESSING,
    SUSPENDED,
    Health,
    conditions,
    count,
    section,
    unobserved,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


def deployment(live: Mapping[str, Any]) -> Health:
    """Judge a Deployment."""
    spec, status = section(live, "spec"), section(live, "status")
    if spec.get("paused"):
        return Health(SUSPENDED, "paused")
    if unobserved(live):
        return Health(PROGRESSING, "the controller has not seen the latest change yet")
    progress = conditions(live).get("Progressing", {})
    if progress.get("reason") == "ProgressDeadlineExceeded":
        return Health(DEGRADED, str(progress.get("message") or "no progress within the deadline"))
    return _rollout(spec, status)


def _rollout(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Health:
    updated, replicas = count(status, "updatedReplicas"), count(status, "replicas")
    available = count(status, "availableReplicas")
    if spec.get("replicas") is not None and updated < count(spec, "replicas"):
        return Health(PROGRESSING, f"{updated} of {count(spec, 'replicas')} replicas updated")
    if replicas > updated:
        return Health(PROGRESSING, f"{replicas - updated} old replicas still to go")
    if available < updated:
        return Health(PROGRESSING, f"{available} of {updated} updated replicas available")
    return Health(HEALTHY)
