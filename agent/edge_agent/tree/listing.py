"""List what may belong to a tree: every kind of a namespace, metadata only.

Kinds are listed at the same time (the transport bounds how many) and page by page; of an object only what
places it is kept. A kind that can't be listed is left out and named.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.cluster import ClusterError, Resource, Transient
from edge_agent.tree.relative import Relative, relative_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.cluster import Cluster

# Objects looked at for one answer. Some 400 bytes each are held until it is given.
LOOKED_AT_MAX = 20_000

# Kinds whose objects are no part of anybody's application: what the control plane notes, and what is computed
# when it is asked for.
_NEVER = frozenset(
    {
        ("", "Event"),
        ("events.k8s.io", "Event"),
        ("", "ComponentStatus"),
        ("", "Node"),
        ("metrics.k8s.io", "PodMetrics"),
        ("metrics.k8s.io", "NodeMetrics"),
        ("coordination.k8s.io", "Lease"),
    }
)


@dataclass(slots=True)
class Listing:
    """What was found. `refused` says which kinds weren't listed, and why."""

    found: dict[str, Relative] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    truncated: bool = False


async def listed(cluster: Cluster, namespaces: Iterable[str], *, everywhere: bool) -> Listing:
    """List namespaces; `everywhere`: the whole cluster, cluster-scoped kinds included. Raises `Transient` when
    the Kubernetes API is away.
    """
    kinds = [
        resource
        for resource in await cluster.discovery.everything()
        if (resource.kind.group, resource.kind.kind) not in _NEVER and (everywhere or resource.namespaced)
    ]
    listing = Listing()
    places = [""] if everywhere else sorted(set(namespaces) - {""})
    failures: list[Transient] = []

    async def one(resource: Resource, namespace: str) -> None:
        try:
            await _list(cluster, resource, namespace, listing)
        except Transient as error:
            # One aggregated API that is down takes nothing else with it.
            failures.append(error)
        except ClusterError as error:
            listing.refused.append(str(error))

    async with asyncio.TaskGroup() as tasks:
        for resource in kinds:
            for namespace in places:
                tasks.create_task(one(resource, namespace), name=f"list {resource.right}")
    if failures and len(failures) == len(kinds) * len(places):
        raise failures[0]
    listing.refused += map(str, failures)
    return listing


async def _list(cluster: Cluster, resource: Resource, namespace: str, listing: Listing) -> None:
    async for page in cluster.pages(resource, metadata_only=True, namespace=namespace):
        for found in page.objects:
            if len(listing.found) >= LOOKED_AT_MAX:
                listing.truncated = True
                return
            one = relative_of(found)
            # The same object may be served by two groups: the first one found stands for it.
            listing.found.setdefault(one.uid, one)
