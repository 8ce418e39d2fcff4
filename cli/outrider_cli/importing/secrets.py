"""Argo CD's Secrets of clusters. Pure. Those of repositories: `outrider.repository_secrets`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from outrider.repository_secrets import values_of

if TYPE_CHECKING:
    from collections.abc import Mapping

CLUSTER = "cluster"
IN_CLUSTER, IN_CLUSTER_SERVER = "in-cluster", "https://kubernetes.default.svc"


@dataclass(frozen=True)
class ArgoCluster:
    """A cluster as Argo CD knows it."""

    name: str
    server: str


def cluster_of(manifest: Mapping[str, Any]) -> ArgoCluster | None:
    """Return the cluster that a Secret tells of; None if it names none."""
    values = values_of(manifest)
    if not values.get("server"):
        return None
    return ArgoCluster(values.get("name", "").strip(), values["server"].strip().rstrip("/"))
