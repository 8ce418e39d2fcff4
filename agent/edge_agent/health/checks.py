"""Which kind is judged by which check. A kind that is not listed has no health and counts for nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edge_agent.health.custom_resource_definition import custom_resource_definition
from edge_agent.health.daemon_set import daemon_set
from edge_agent.health.deployment import deployment
from edge_agent.health.ingress import ingress
from edge_agent.health.job import job
from edge_agent.health.model import PROGRESSING, UNKNOWN, Health, section
from edge_agent.health.persistent_volume_claim import persistent_volume_claim
from edge_agent.health.pod import pod
from edge_agent.health.replica_set import replica_set
from edge_agent.health.service import service
from edge_agent.health.stateful_set import stateful_set

Check = Callable[[Mapping[str, Any]], Health]

CHECKS: Mapping[tuple[str, str], Check] = {
    ("", "PersistentVolumeClaim"): persistent_volume_claim,
    ("", "Pod"): pod,
    ("", "Service"): service,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): custom_resource_definition,
    ("apps", "DaemonSet"): daemon_set,
    ("apps", "Deployment"): deployment,
    ("apps", "ReplicaSet"): replica_set,
    ("apps", "StatefulSet"): stateful_set,
    ("batch", "Job"): job,
    ("extensions", "Ingress"): ingress,
    ("networking.k8s.io", "Ingress"): ingress,
}


def check(group: str, kind: str, live: Mapping[str, Any]) -> Health | None:
    """Return a live object's health, or None for a kind without a check. Anything being deleted is
    Progressing.
    """
    if section(live, "metadata").get("deletionTimestamp"):
        return Health(PROGRESSING, "is being deleted")
    judge = CHECKS.get((group, kind))
    try:
        return judge(live) if judge else None
    except (AttributeError, KeyError, TypeError, ValueError):
        # An object that isn't shaped as its kind is: a server with another idea of the kind.
        return Health(UNKNOWN, "has a status that can't be read")
