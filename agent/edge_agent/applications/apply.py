"""Steps of a sync: the destination namespace, the dry run, the apply. Every answer is taken in as an
outcome.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from edge_agent.applications.compare import strict
from edge_agent.cluster import (
    FIELD_MANAGER,
    Applied,
    ClusterError,
    Forbidden,
    InvalidObject,
    Key,
    Kind,
    NotFound,
    Object,
    Refused,
    Transient,
    UnknownKind,
)
from edge_agent.diff import Verdict, ignored, state_of, with_live
from edge_agent.sync import Entry, Result, options

if TYPE_CHECKING:
    from edge_agent.applications.sync_context import SyncContext

_NAMESPACE = Kind("", "v1", "Namespace")


async def ensure_namespace(context: SyncContext) -> None:
    """Make the destination namespace where that is asked for; untracked, since it isn't the application's
    to prune.
    """
    name = context.state.policy.namespace
    key = Key("", "Namespace", "", name)
    if not _makes_namespace(context) or key in context.index.entries or context.running.done:
        return
    if context.running.only is not None:
        # Healing: it was there, and should it be gone the heal fails and a whole sync follows.
        return
    with contextlib.suppress(NotFound):
        with contextlib.suppress(Forbidden):
            # Without the right to read namespaces it may well be there.
            await context.around.cluster.get(_NAMESPACE, key)
        return
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    with contextlib.suppress(Forbidden, InvalidObject, Refused):
        # A refusal shows where it hurts: at the objects that have no namespace to go to.
        await context.around.cluster.apply(_NAMESPACE, key, manifest, dry_run=context.running.dry_run)


async def validate(entry: Entry, context: SyncContext) -> None:
    """Ask the server whether it would take an object."""
    running = context.running
    if _was_applied_before(entry, context):
        running.valid.add(entry.key)
        return
    try:
        await context.around.cluster.apply(
            entry.kind,
            entry.key,
            await _manifest(entry, context),
            dry_run=True,
            strict=strict(entry, context.state),
        )
    except Transient:
        raise
    except ClusterError as error:
        if not _judged_later(error, entry, context):
            running.done[entry.key] = failed(entry, error)
            return
    running.valid.add(entry.key)
    if running.dry_run:
        running.done[entry.key] = Result(entry.key, entry.kind, "Synced", "would be applied (dry run)")


def _was_applied_before(entry: Entry, context: SyncContext) -> bool:
    """The server took this very manifest once: drift is healed without asking whether it is valid."""
    progress = context.state.progress
    known = progress.in_sync.get(entry.key) if progress else None
    return known is not None and known.desired == entry.digest and not context.running.dry_run


def _judged_later(error: ClusterError, entry: Entry, context: SyncContext) -> bool:
    if isinstance(error, UnknownKind):
        return options.enabled("SkipDryRunOnMissingResource", entry.options, context.state.policy.options)
    # The namespace would be made, were this not a dry run.
    return isinstance(error, NotFound) and context.running.dry_run and _makes_namespace(context)


async def apply(entry: Entry, context: SyncContext) -> None:
    """Apply an object; what the server makes of it is what was asked for, however it writes it."""
    state, around = context.state, context.around
    before = around.inventory.get(entry.key)
    try:
        applied = await _apply_or_overwrite(entry, context)
        live = await around.as_watched(applied.object)
    except Transient:
        raise
    except ClusterError as error:
        context.running.done[entry.key] = failed(entry, error)
        return
    around.inventory.observe(live)
    state.verdicts[entry.key] = Verdict(entry.digest, state_of(live, FIELD_MANAGER), in_sync=True)
    state.absent.pop(entry.key, None)
    state.unseen.pop(entry.key, None)
    unchanged = before is not None and before.resource_version == live["metadata"].get("resourceVersion")
    message = "created" if applied.created else "unchanged" if unchanged else "configured"
    context.running.done[entry.key] = Result(entry.key, entry.kind, "Synced", message)


async def _apply_or_overwrite(entry: Entry, context: SyncContext) -> Applied:
    """Apply; where the server took this very manifest once and refuses it now, it is the live object that
    is in its way.
    """
    cluster, manifest = context.around.cluster, await _manifest(entry, context)
    try:
        return await cluster.apply(entry.kind, entry.key, manifest, strict=strict(entry, context.state))
    except InvalidObject as refusal:
        if not _was_applied_before(entry, context):
            raise
        try:
            await cluster.overwrite(entry.kind, entry.key, manifest)
        except Transient:
            raise
        except ClusterError:
            raise refusal from None
    return await cluster.apply(entry.kind, entry.key, manifest, strict=strict(entry, context.state))


async def _manifest(entry: Entry, context: SyncContext) -> Object:
    """Return what to apply: with `RespectIgnoreDifferences`, the live values of ignored fields."""
    manifest = (await context.bundle.manifests())[entry.key]
    pointers = ignored(context.state.policy.ignore, entry.key)
    if not pointers or not context.state.policy.on("RespectIgnoreDifferences"):
        return manifest
    try:
        live = await context.around.cluster.get(entry.kind, entry.key)
    except (NotFound, UnknownKind):
        return manifest
    return with_live(manifest, live, pointers)


def failed(entry: Entry, error: ClusterError | str) -> Result:
    """Return the outcome of an object that was refused."""
    advice = (
        "; create the namespace, or set the sync option CreateNamespace=true"
        if isinstance(error, NotFound)
        else ""
    )
    reason = error.why if isinstance(error, ClusterError) else error
    return Result(entry.key, entry.kind, "SyncFailed", f"{reason}{advice}")


def _makes_namespace(context: SyncContext) -> bool:
    return context.state.policy.on("CreateNamespace") and bool(context.state.policy.namespace)
