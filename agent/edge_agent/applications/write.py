"""How one object is written, as its sync options say.

Server-side apply as the agent's field manager is the rule. `ServerSideApply=false` merges on this side, as
`kubectl apply` does; `Replace=true` puts the manifest in the place of what is there; `Force=true` deletes what
can't be changed and makes it again, and with `Replace=true` does so at every sync.

What is made again is written down first, with the uid that goes: after a crash the one that came is known.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from edge_agent.applications.keeping import keep
from edge_agent.applications.migrate import note_former_managers, take_over
from edge_agent.applications.one_off import would_be_created
from edge_agent.cluster import (
    AlreadyExists,
    Applied,
    ClusterError,
    InvalidObject,
    NotFound,
    Object,
    Transient,
)
from edge_agent.sync.three_way import last_applied, three_way

if TYPE_CHECKING:
    from edge_agent.applications.sync_context import SyncContext
    from edge_agent.sync import Entry


class Clearing(Exception):
    """The object is being deleted, to be made again once it is gone."""


async def write(entry: Entry, manifest: Object, context: SyncContext, *, dry_run: bool = False) -> Applied:
    """Write an object. Raises `ClusterError`, and `Clearing` where it must go first."""
    replaces, forces = context.on("Replace", entry), context.on("Force", entry)
    if replaces and forces:
        return await _make_again(entry, manifest, context, dry_run=dry_run)
    try:
        if replaces:
            return await _replace(entry, manifest, context, dry_run=dry_run)
        if not context.on("ServerSideApply", entry, default=True):
            return await _merge(entry, manifest, context, dry_run=dry_run)
        return await _apply(entry, manifest, context, dry_run=dry_run)
    except InvalidObject:
        if not forces:
            raise
        # Nothing is deleted for a manifest that the server wouldn't take under any name.
        await would_be_created(
            context.around.cluster, entry.kind, entry.key, manifest, strict=strict(entry, context)
        )
        return await _make_again(entry, manifest, context, dry_run=dry_run)


def strict(entry: Entry, context: SyncContext) -> bool:
    """Say whether unknown fields are refused."""
    return context.on("Validate", entry, default=True)


def is_made_again(entry: Entry, context: SyncContext) -> bool:
    """Say whether an object has yet to be made again, because each sync does that."""
    if not context.on("Replace", entry) or not context.on("Force", entry) or context.on("ApplyOutOfSyncOnly"):
        return False
    if context.running.only is not None or context.running.dry_run:
        return False
    recreated, live = context.progress.hooks.recreated, context.around.inventory.get(entry.key)
    return entry.key not in recreated or live is None or live.uid == recreated[entry.key]


async def _apply(entry: Entry, manifest: Object, context: SyncContext, *, dry_run: bool) -> Applied:
    """Apply; where the server took this very manifest once and refuses it now, it is the live object that
    is in its way.
    """
    cluster, strictly = context.around.cluster, strict(entry, context)
    if dry_run:
        would_be = await cluster.apply(entry.kind, entry.key, manifest, dry_run=True, strict=strictly)
        note_former_managers(entry, would_be.object, context)
        return would_be
    await take_over(entry, context)
    try:
        return await cluster.apply(entry.kind, entry.key, manifest, strict=strictly)
    except InvalidObject as refusal:
        if not was_applied_before(entry, context):
            raise
        try:
            await cluster.patch(entry.kind, entry.key, manifest)
        except Transient:
            raise
        except ClusterError:
            raise refusal from None
    return await cluster.apply(entry.kind, entry.key, manifest, strict=strictly)


def was_applied_before(entry: Entry, context: SyncContext) -> bool:
    """The server took this very manifest once: drift is healed without asking whether it is valid."""
    known = context.progress.in_sync.get(entry.key)
    return known is not None and known.desired == entry.digest and not context.running.dry_run


async def _replace(entry: Entry, manifest: Object, context: SyncContext, *, dry_run: bool) -> Applied:
    cluster, strictly = context.around.cluster, strict(entry, context)
    try:
        live = await cluster.get(entry.kind, entry.key)
    except NotFound:
        return await cluster.create(entry.kind, entry.key, manifest, dry_run=dry_run, strict=strictly)
    version = {"resourceVersion": live["metadata"]["resourceVersion"]}
    whole = {**manifest, "metadata": {**manifest["metadata"], **version}}
    return await cluster.replace(entry.kind, entry.key, whole, dry_run=dry_run, strict=strictly)


async def _merge(entry: Entry, manifest: Object, context: SyncContext, *, dry_run: bool) -> Applied:
    cluster, strictly = context.around.cluster, strict(entry, context)
    noted = last_applied(manifest)
    try:
        live = await cluster.get(entry.kind, entry.key)
    except NotFound:
        return await cluster.create(entry.kind, entry.key, noted, dry_run=dry_run, strict=strictly)
    patch, how = three_way(noted, live)
    return await cluster.patch(entry.kind, entry.key, patch, how, dry_run=dry_run, strict=strictly)


async def _make_again(entry: Entry, manifest: Object, context: SyncContext, *, dry_run: bool) -> Applied:
    cluster, strictly = context.around.cluster, strict(entry, context)
    if dry_run:
        return await would_be_created(cluster, entry.kind, entry.key, manifest, strict=strictly)
    live: Object | None = None
    with contextlib.suppress(NotFound):
        live = await cluster.get(entry.kind, entry.key)
    uid = str(live["metadata"]["uid"]) if live else ""
    recreated = context.progress.hooks.recreated
    if recreated.setdefault(entry.key, uid) == uid and uid:
        await keep(context.state, context.around)
        await _clear(entry, uid, context)
        raise Clearing(str(entry.key))
    if live is not None:
        return Applied(live, created=True)
    try:
        return await cluster.create(entry.kind, entry.key, manifest, strict=strictly)
    except AlreadyExists:
        raise Clearing(str(entry.key)) from None


async def _clear(entry: Entry, uid: str, context: SyncContext) -> None:
    context.running.clearing[entry.key] = uid
    with contextlib.suppress(NotFound):
        await context.around.cluster.delete(entry.kind, entry.key, uid=uid, propagation="Foreground")
