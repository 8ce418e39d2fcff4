"""Steps of a sync: the dry run and the apply. Every answer is taken in as an outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.applications.namespace import makes_namespace
from edge_agent.applications.one_off import would_be_created
from edge_agent.applications.write import Clearing, was_applied_before, write
from edge_agent.cluster import (
    FIELD_MANAGER,
    ClusterError,
    InvalidObject,
    NotFound,
    Object,
    Transient,
    UnknownKind,
)
from edge_agent.diff import ExpressionFailed, Verdict, ignored, respected, state_of
from edge_agent.sync import Entry, Hook, Result

if TYPE_CHECKING:
    from edge_agent.applications.sync_context import SyncContext


async def validate(thing: Entry | Hook, context: SyncContext) -> None:
    """Ask the server whether it would take an object or create a hook."""
    try:
        if isinstance(thing, Hook):
            await _validate_hook(thing, context)
        elif not was_applied_before(thing, context):
            await write(thing, await _manifest(thing, context), context, dry_run=True)
    except Transient:
        raise
    except ClusterError as error:
        if not _judged_later(error, thing, context):
            context.running.done[thing.key] = failed(thing, error)
            return
    if isinstance(thing, Hook):
        context.running.valid_hooks.add(thing.id)
        return
    context.running.valid.add(thing.key)
    if context.running.dry_run:
        context.running.done[thing.key] = Result(
            thing.key, thing.kind, "Synced", "would be applied (dry run)"
        )


async def _validate_hook(hook: Hook, context: SyncContext) -> None:
    """As if it were created now: what there is under its name will have gone by then."""
    manifest = (await context.bundle.hook_manifests())[hook.id]
    strictly = context.on("Validate", hook, default=True)
    await would_be_created(context.around.cluster, hook.kind, hook.key, manifest, strict=strictly)


def _judged_later(error: ClusterError, thing: Entry | Hook, context: SyncContext) -> bool:
    if isinstance(error, UnknownKind):
        return context.on("SkipDryRunOnMissingResource", thing)
    # The namespace would be made, were this not a dry run.
    return isinstance(error, NotFound) and context.running.dry_run and makes_namespace(context)


async def apply(entry: Entry, context: SyncContext) -> None:
    """Apply an object; what the server makes of it is what was asked for, however it writes it."""
    state, around = context.state, context.around
    before = around.inventory.get(entry.key)
    try:
        applied = await write(entry, await _manifest(entry, context), context)
        live = await around.as_watched(applied.object)
    except Clearing:
        return
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


async def _manifest(entry: Entry, context: SyncContext) -> Object:
    """Return what to apply: with `RespectIgnoreDifferences`, the live values of ignored fields."""
    manifest = (await context.bundle.manifests())[entry.key]
    what = ignored(context.state.policy.ignore, entry.key)
    if not what or not context.on("RespectIgnoreDifferences", entry):
        return manifest
    try:
        live = await context.around.cluster.get(entry.kind, entry.key)
    except (NotFound, UnknownKind):
        return manifest
    try:
        return await respected(what, manifest, live, context.around.expressions)
    except ExpressionFailed as error:
        # What somebody asked to be left alone can't be told from the rest: it is not touched.
        raise InvalidObject(str(entry.key), str(error)) from error


def failed(thing: Entry | Hook, error: ClusterError | str) -> Result:
    """Return the outcome of an object or hook that was refused."""
    advice = (
        "; create the namespace, or set the sync option CreateNamespace=true"
        if isinstance(error, NotFound)
        else ""
    )
    reason = error.why if isinstance(error, ClusterError) else error
    phase = thing.phase if isinstance(thing, Hook) else ""
    return Result(thing.key, thing.kind, "SyncFailed", f"{reason}{advice}", hook=phase)
