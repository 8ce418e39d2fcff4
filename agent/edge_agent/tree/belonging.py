"""Whether an object is an application's: it carries its mark, or descends from one that does.

Asked before anything is shown of an object or done to it: a request names an object, and an agent may read
more than its applications own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.cluster import ClusterError, Key, Kind, Transient
from edge_agent.sync import tracked_to
from edge_agent.tree.relative import relative_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.cluster import Cluster

# Owners above one another. Kubernetes' own kinds have three.
DEPTH_MAX = 8


async def belongs(app: str, live: Mapping[str, Any], cluster: Cluster) -> bool:
    """Say whether an object is the application's. Raises `Transient`."""
    waiting: list[Mapping[str, Any]] = [live]
    seen: set[str] = set()
    for _ in range(DEPTH_MAX):
        owners: list[Mapping[str, Any]] = []
        for one in waiting:
            if tracked_to(one) == app:
                return True
            uid = str((one.get("metadata") or {}).get("uid") or "")
            if uid not in seen:
                seen.add(uid)
                owners += await _owners(one, cluster)
        waiting = owners
    return False


async def _owners(found: Mapping[str, Any], cluster: Cluster) -> list[Mapping[str, Any]]:
    """Return an object's owners, as they are: one of the same name with another uid is somebody else."""
    place = relative_of(found)
    named = [(key, Kind(key.group, "v1", key.kind), "") for key in place.inferred]
    for owner in (found.get("metadata") or {}).get("ownerReferences") or ():
        group, _, version = str(owner.get("apiVersion") or "").rpartition("/")
        kind = Kind(group, version, str(owner.get("kind") or ""))
        named.append(
            (
                Key(group, kind.kind, place.key.namespace, str(owner.get("name") or "")),
                kind,
                str(owner.get("uid") or ""),
            )
        )
    owners: list[Mapping[str, Any]] = []
    for key, kind, uid in named:
        try:
            owner = await cluster.get(kind, await _placed(key, kind, cluster))
        except Transient:
            raise
        except ClusterError:
            continue
        if not uid or owner["metadata"].get("uid") == uid:
            owners.append(owner)
    return owners


async def _placed(key: Key, kind: Kind, cluster: Cluster) -> Key:
    resource = await cluster.discovery.resource(kind)
    return key if resource.namespaced else key._replace(namespace="")
