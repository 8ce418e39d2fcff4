"""Read whole objects where their health or images are asked for; of each only that is kept."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from edge_agent.cluster import Cluster, ClusterError, Kind
from edge_agent.tree.detail import Detail, detail_of
from edge_agent.tree.relative import is_claim_of, may_be_claim_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from edge_agent.cluster.names import Key, Object
    from edge_agent.health import Checks
    from edge_agent.tree.relative import Relative

# Above so many objects of one kind in one namespace, listing them all is fewer requests than asking for each.
EACH_MAX = 8


async def details(cluster: Cluster, wanted: Iterable[Relative], checks: Checks) -> dict[str, Detail]:
    """Return the details of objects, by uid; those that are gone by now or can't be read have none."""
    found: dict[str, Detail] = {}
    groups: dict[tuple[Kind, str], dict[str, Relative]] = {}
    for one in wanted:
        groups.setdefault((one.kind, one.key.namespace), {})[one.uid] = one

    async def take(kind: Kind, namespace: str, members: dict[str, Relative]) -> None:
        def seen(whole: Object) -> None:
            one = members.get(str((whole.get("metadata") or {}).get("uid")))
            if one is not None:
                found[one.uid] = detail_of(one, whole, checks)

        if len(members) > EACH_MAX:
            await _list(cluster, kind, namespace, seen)
        else:
            await _each(cluster, members.values(), seen)

    async with asyncio.TaskGroup() as tasks:
        for (kind, namespace), members in groups.items():
            tasks.create_task(take(kind, namespace, members), name=f"read {kind}")
    return found


async def _list(cluster: Cluster, kind: Kind, namespace: str, seen: Callable[[Object], None]) -> None:
    try:
        async for page in cluster.pages(await cluster.discovery.resource(kind), namespace=namespace):
            for whole in page.objects:
                seen(whole)
    except ClusterError:
        # What was read until then stands; of the rest the tree shows the place alone.
        return


async def _each(cluster: Cluster, members: Iterable[Relative], seen: Callable[[Object], None]) -> None:
    for one in members:
        try:
            seen(await cluster.get(one.kind, one.key))
        except ClusterError:
            continue


async def claims(cluster: Cluster, found: Iterable[Relative]) -> dict[str, Key]:
    """Return which PersistentVolumeClaims were made by a StatefulSet, by uid: no reference says so."""
    found = list(found)
    sets = [one for one in found if (one.key.group, one.key.kind) == ("apps", "StatefulSet")]
    unowned = [
        one
        for one in found
        if (one.key.group, one.key.kind) == ("", "PersistentVolumeClaim") and not one.is_owned
    ]
    owners: dict[str, Key] = {}
    for stateful_set in sets:
        candidates = [claim for claim in unowned if may_be_claim_of(claim.key, stateful_set.key)]
        if not candidates:
            continue
        try:
            whole = await cluster.get(stateful_set.kind, stateful_set.key)
        except ClusterError:
            continue
        owners |= {claim.uid: stateful_set.key for claim in candidates if is_claim_of(claim.key, whole)}
    return owners
