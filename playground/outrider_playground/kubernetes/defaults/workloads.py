"""Defaults of what runs pods."""

from __future__ import annotations

from typing import Any

from . import pods
from .storage import claim_spec

_REVISIONS_KEPT = 10


def deployment(manifest: dict[str, Any]) -> None:
    """Fill in a Deployment."""
    spec = manifest["spec"]
    pods.template(spec["template"])
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", _REVISIONS_KEPT)
    spec.setdefault("progressDeadlineSeconds", 600)
    strategy = spec["strategy"]
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")


def replica_set(manifest: dict[str, Any]) -> None:
    """Fill in a ReplicaSet or ReplicationController."""
    spec = manifest["spec"]
    if spec.get("template"):
        pods.template(spec["template"])
    spec.setdefault("replicas", 1)


def stateful_set(manifest: dict[str, Any]) -> None:
    """Fill in a StatefulSet."""
    spec = manifest["spec"]
    pods.template(spec["template"])
    spec.setdefault("podManagementPolicy", "OrderedReady")
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", _REVISIONS_KEPT)
    if spec["updateStrategy"].setdefault("type", "RollingUpdate") == "RollingUpdate":
        spec["updateStrategy"].setdefault("rollingUpdate", {}).setdefault("partition", 0)
    retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    retention.setdefault("whenDeleted", "Retain")
    retention.setdefault("whenScaled", "Retain")
    for claim in spec.get("volumeClaimTemplates") or ():
        claim |= {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
        claim_spec(claim["spec"])
        claim["status"].setdefault("phase", "Pending")


def daemon_set(manifest: dict[str, Any]) -> None:
    """Fill in a DaemonSet."""
    spec = manifest["spec"]
    pods.template(spec["template"])
    spec.setdefault("revisionHistoryLimit", _REVISIONS_KEPT)
    if spec["updateStrategy"].setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = spec["updateStrategy"].setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)


def job(manifest: dict[str, Any]) -> None:
    """Fill in a Job."""
    spec = manifest["spec"]
    pods.template(spec["template"])
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("manualSelector", False)
    spec.setdefault("podReplacementPolicy", "Failed" if "podFailurePolicy" in spec else "TerminatingOrFailed")


def cron_job(manifest: dict[str, Any]) -> None:
    """Fill in a CronJob."""
    spec = manifest["spec"]
    pods.template(spec["jobTemplate"]["spec"]["template"])
    spec.setdefault("concurrencyPolicy", "Allow")
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)


def autoscaler(manifest: dict[str, Any]) -> None:
    """Fill in a HorizontalPodAutoscaler."""
    spec = manifest["spec"]
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
