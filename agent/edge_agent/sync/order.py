"""Argo CD's order of a sync: phase, wave, kind, name. Pure.

Prune goes the other way. Kinds that aren't listed (custom resources) come last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

WAVE = "argocd.argoproj.io/sync-wave"
HELM_WEIGHT = "helm.sh/hook-weight"

# fmt: off
_KINDS = [
    "Namespace", "NetworkPolicy", "ResourceQuota", "LimitRange", "PodSecurityPolicy",
    "PodDisruptionBudget", "ServiceAccount", "Secret", "SecretList", "ConfigMap", "StorageClass",
    "PersistentVolume", "PersistentVolumeClaim", "CustomResourceDefinition", "ClusterRole",
    "ClusterRoleList", "ClusterRoleBinding", "ClusterRoleBindingList", "Role", "RoleList", "RoleBinding",
    "RoleBindingList", "Service", "DaemonSet", "Pod", "ReplicationController", "ReplicaSet", "Deployment",
    "HorizontalPodAutoscaler", "StatefulSet", "Job", "CronJob", "IngressClass", "Ingress", "APIService"
]
# fmt: on
"""argo-cd, gitops-engine `pkg/sync/sync_tasks.go`."""
_RANKS = {kind: rank for rank, kind in enumerate(_KINDS)}


def rank(kind: str) -> int:
    """Return a kind's place in the order."""
    return _RANKS.get(kind, len(_RANKS))


def wave(manifest: Mapping[str, Any]) -> int:
    """Return an object's wave: its annotation, else Helm's hook weight, else 0. What is no number counts
    as 0.
    """
    annotations = (manifest.get("metadata") or {}).get("annotations") or {}
    for name in (WAVE, HELM_WEIGHT):
        try:
            return int(str(annotations[name]).strip())
        except (KeyError, ValueError):
            continue
    return 0
