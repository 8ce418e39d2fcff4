"""What the machine decides a sync by, taken from what is known of the cluster at this moment."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from edge_agent.applications.apply import failed
from edge_agent.applications.compare import in_sync, shared
from edge_agent.applications.doomed import doomed
from edge_agent.applications.namespace import makes_namespace, namespace_key
from edge_agent.applications.write import is_made_again
from edge_agent.cluster import Key, Kind, NotFound, UnknownKind
from edge_agent.health import MISSING, Health
from edge_agent.sync import Entry, Facts, Hook, Result
from outrider.manifests.phases import DELETE_PHASES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.applications.sync_context import SyncContext

_DEFINITION = "CustomResourceDefinition"


def facts_of(context: SyncContext) -> Facts:
    """Return what is so."""
    state, around, running = context.state, context.around, context.running
    about = [entry for entry in context.index.entries.values() if context.is_about(entry.key)]
    _doom(context)
    return Facts(
        entries=tuple(sorted(about, key=lambda entry: entry.place)),
        to_apply={
            entry.key for entry in about if not in_sync(entry, state, around) or is_made_again(entry, context)
        },
        doomed=tuple(running.doomed.values()),
        done=running.done,
        valid=running.valid,
        ready=lambda key: _ready(key, context),
        health=lambda key: _health(key, context),
        present=lambda key: is_there(key, context),
        refused=tuple(refusals(context)),
        hooks=tuple(_hooks(context)),
        runs=context.progress.hooks.runs,
        valid_hooks=running.valid_hooks,
        touched=running.touched,
        failure=context.progress.hooks.failure,
        clearing=frozenset(running.clearing),
        stage=running.stage,
        pause_s=max(0.0, running.pause_until_s - asyncio.get_running_loop().time()),
    )


def refusals(context: SyncContext) -> Iterable[Result]:
    """Yield what keeps the sync from touching anything more."""
    state, project = context.state, context.project
    if context.running.only is None:
        for problem in context.index.problems:
            yield Result(problem.key, problem.kind, "SyncFailed", str(problem))
    exclusive = context.on("FailOnSharedResource")
    for entry in context.index.entries.values():
        if not context.is_about(entry.key):
            continue
        other, refusal = shared(entry, state, context.around), project.refusal(entry.key)
        if refusal:
            yield failed(entry, refusal)
        elif other and exclusive:
            yield failed(entry, f"belongs to application {other}, and FailOnSharedResource is set")
    # Those of every phase: a hook of the application's end is as much a write as any other.
    for hook in context.index.hooks if context.runs_hooks else ():
        refusal = project.refusal(hook.key)
        if refusal:
            yield failed(hook, refusal)
    if makes_namespace(context) and project.refusal(namespace_key(context)):
        refusal = project.refusal(namespace_key(context))
        yield Result(
            namespace_key(context), Kind("", "v1", "Namespace"), "SyncFailed", f"CreateNamespace: {refusal}"
        )


async def learn_kinds(context: SyncContext) -> None:
    """Ask for kinds whose definition this sync brought."""
    discovery = context.around.cluster.discovery
    things: list[Entry | Hook] = [*context.index.entries.values(), *context.index.hooks]
    brought = {
        thing.kind
        for thing in things
        if any(key.kind == _DEFINITION and is_there(key, context) for key in thing.needs)
    }
    for kind in sorted(kind for kind in brought if discovery.known(kind) is None):
        with contextlib.suppress(UnknownKind):
            await discovery.resource(kind)


async def look_at_clearing(context: SyncContext) -> None:
    """Forget objects that were being deleted, to be made again, once they are gone."""
    clearing = context.running.clearing
    for key, uid in list(clearing.items()):
        live = context.around.inventory.get(key)
        if live is not None and live.uid == uid:
            continue
        with contextlib.suppress(NotFound):
            found = await context.around.cluster.get(context.index.entries[key].kind, key)
            if found["metadata"].get("uid") == uid:
                continue
        del clearing[key]


def waits_for_serving(keys: Iterable[Key], context: SyncContext) -> bool:
    """Say whether what is awaited is an API that begins to be served."""
    return any(key.kind == _DEFINITION and is_there(key, context) for key in keys)


def is_there(key: Key, context: SyncContext) -> bool:
    """Say whether an object is known to be on the cluster."""
    return context.around.inventory.get(key) is not None


def _hooks(context: SyncContext) -> Iterable[Hook]:
    """Yield the hooks of the sync; those of a dry run are judged, and then are none any more."""
    if not context.runs_hooks:
        return
    for hook in context.index.hooks:
        judged = context.running.dry_run and hook.id in context.running.valid_hooks
        if hook.phase not in DELETE_PHASES and not judged:
            yield hook


def _doom(context: SyncContext) -> None:
    """Take in what is to be pruned; of what stays, note why."""
    running = context.running
    for found in doomed(context.state, context.index, context.around, context.options):
        if not context.is_whole and running.only is None and not context.is_about(found.key):
            continue
        if running.prune and not found.kept:
            running.doomed[found.key] = found
            continue
        running.doomed.pop(found.key, None)
        if found.key not in running.done:
            why = found.kept or "left: pruning was not asked for"
            running.done[found.key] = Result(found.key, found.kind, "PruneSkipped", why)


def _ready(key: Key, context: SyncContext) -> bool:
    """A namespace can be used once it is there, a definition once its kind is served."""
    if not is_there(key, context):
        return False
    if key.kind != _DEFINITION:
        return True
    things: list[Entry | Hook] = [*context.index.entries.values(), *context.index.hooks]
    dependents = {thing.kind for thing in things if key in thing.needs}
    return all(context.around.cluster.discovery.known(kind) for kind in dependents)


def _health(key: Key, context: SyncContext) -> Health | None:
    live = context.around.inventory.get(key)
    return live.health if live else Health(MISSING)
