"""StatefulSet: all replicas ready, and at the newest revision as far as its update strategy asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.model import HEALTHY, PROGRESSING, Health, count, section, unobserved

if TYPE_CHECKING:
    from collections.abc import Mapping


def stateful_set(live: Mapping[str, Any]) -> Health:
    """Judge a StatefulSet."""
    spec, status = section(live, "spec"), section(live, "status")
    if not status.get("observedGeneration") or unobserved(live):
        return Health(PROGRESSING, "the controller has not seen the latest change yet")
    wanted, ready = count(spec, "replicas"), count(status, "readyReplicas")
    if spec.get("replicas") is not None and ready < wanted:
        return Health(PROGRESSING, f"{ready} of {wanted} replicas ready")
    strategy = section(spec, "updateStrategy")
    if strategy.get("type") == "OnDelete":
        return Health(HEALTHY)
    if strategy.get("type") == "RollingUpdate" and strategy.get("rollingUpdate") is not None:
        return _partitioned(wanted, count(section(strategy, "rollingUpdate"), "partition"), status)
    if status.get("updateRevision") != status.get("currentRevision"):
        return Health(
            PROGRESSING, f"{count(status, 'updatedReplicas')} replicas at {status.get('updateRevision')}"
        )
    return Health(HEALTHY)


def _partitioned(wanted: int, partition: int, status: Mapping[str, Any]) -> Health:
    """Replicas below the partition stay at the old revision on purpose."""
    updated = count(status, "updatedReplicas")
    if updated < wanted - partition:
        return Health(PROGRESSING, f"{updated} of {wanted - partition} replicas updated")
    return Health(HEALTHY)
