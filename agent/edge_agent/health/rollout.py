"""Argo Rollout: what its controller says of it (since 1.0), else what its status shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.conditions import said
from edge_agent.health.model import (
    DEGRADED,
    HEALTHY,
    ORDER,
    PROGRESSING,
    SUSPENDED,
    UNKNOWN,
    Health,
    conditions,
    count,
    section,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_WORKLOAD_GENERATION = "rollout.argoproj.io/workload-generation"


def rollout(live: Mapping[str, Any]) -> Health:
    """Judge a Rollout."""
    status = section(live, "status")
    if not _is_seen(live, status):
        return Health(PROGRESSING, "the controller has not seen the latest change yet")
    phase = status.get("phase")
    if phase is not None:
        return _said_by_phase(str(phase), str(status.get("message") or ""))
    failure = _failure(live)
    if failure:
        return failure
    if status.get("pauseConditions") or section(live, "spec").get("paused"):
        return Health(SUSPENDED, "is paused")
    return _by_replicas(section(live, "spec"), status) or _by_strategy(section(live, "spec"), status)


def _is_seen(live: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    if not status:
        return False
    generation = count(section(live, "metadata"), "generation")
    # Before 0.10 this was a hash, which is no number, or one that is too big.
    observed = str(status.get("observedGeneration") or "")
    if observed.isdigit() and int(observed) < generation:
        return False
    annotations = section(section(live, "metadata"), "annotations")
    if section(live, "spec").get("workloadRef") is None or not annotations:
        return True
    wanted, seen = annotations.get(_WORKLOAD_GENERATION), status.get("workloadObservedGeneration")
    return str(wanted or "") == str(seen or "")


def _said_by_phase(phase: str, message: str) -> Health:
    if phase == "Paused":
        return Health(SUSPENDED, message)
    for status in ORDER:
        if status == phase:
            return Health(status, message)
    return Health(UNKNOWN, message or f"is in phase {phase}")


def _failure(live: Mapping[str, Any]) -> Health | None:
    found = conditions(live)
    if "InvalidSpec" in found:
        return Health(DEGRADED, said(found["InvalidSpec"]))
    progress = found.get("Progressing", {})
    if progress.get("reason") in ("RolloutAborted", "ProgressDeadlineExceeded"):
        return Health(DEGRADED, said(progress))
    return None


def _by_replicas(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Health | None:
    if not status.get("currentPodHash"):
        return Health(PROGRESSING, "the controller has not rolled it out yet")
    wanted = count(spec, "replicas") if spec.get("replicas") is not None else 1
    updated, available = count(status, "updatedReplicas"), count(status, "availableReplicas")
    if updated < wanted:
        return Health(PROGRESSING, f"{updated} of {wanted} replicas updated")
    if available < updated:
        return Health(PROGRESSING, f"{available} of {updated} updated replicas available")
    return None


def _by_strategy(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Health:
    current = status.get("currentPodHash")
    stable = status.get("stableRS") or section(status, "canary").get("stableRS")
    if section(spec, "strategy").get("blueGreen") is not None:
        if section(status, "blueGreen").get("activeSelector") != current:
            return Health(PROGRESSING, "the active service has not been switched over yet")
        if stable and stable != current:
            return Health(PROGRESSING, "its analysis goes on")
    elif section(spec, "strategy").get("canary") is not None:
        old = count(status, "replicas") - count(status, "updatedReplicas")
        if old > 0:
            return Health(PROGRESSING, f"{old} old replicas still to go")
        if stable != current:
            return Health(PROGRESSING, "its steps go on")
    return Health(HEALTHY)
