"""The fifth step of a pass: carry a sync on as far as it goes.

What comes next is decided by `edge_agent.sync.machine`; here its steps are made requests, and the answers are
taken in: into the inventory (which knows the new state before the watch tells it) and as outcomes. A
Kubernetes API that is away raises `Transient` out of the pass: outcomes so far are kept, nothing counts as
failed, and the next pass goes on.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from edge_agent.applications.apply import apply, ensure_namespace, failed, validate
from edge_agent.applications.compare import in_sync, shared
from edge_agent.applications.doomed import doomed
from edge_agent.applications.prune import prune
from edge_agent.applications.sync_context import SyncContext, each
from edge_agent.cluster import Key, UnknownKind
from edge_agent.health import MISSING, Health
from edge_agent.sync import Apply, Await, Doomed, Entry, Facts, Finished, Prune, Result, Validate, next_step

if TYPE_CHECKING:
    from collections.abc import Iterable

_DEFINITION = "CustomResourceDefinition"


@dataclass(frozen=True, slots=True)
class Waiting:
    """The sync goes on when something changes; `soon`: or shortly, since nothing tells when an API begins
    to be served.
    """

    reason: str
    soon: bool


async def operate(context: SyncContext) -> Waiting | Finished:
    """Go on until the sync is over or must wait. Raises `Transient`."""
    app = context.state.app
    await ensure_namespace(context)
    while True:
        await _learn_kinds(context)
        match next_step(_facts(context)):
            case Validate(entries):
                await each(entries, partial(validate, context=context), f"validate for {app}")
            case Apply(entries):
                await each(entries, partial(apply, context=context), f"apply for {app}")
            case Prune(going):
                await each(going, partial(prune, context=context), f"prune for {app}")
            case Await(keys, reason):
                soon = any(key.kind == _DEFINITION and _is_there(key, context) for key in keys)
                return Waiting(reason, soon)
            case Finished() as finished:
                _complete(finished, context)
                return finished


def _facts(context: SyncContext) -> Facts:
    state, around = context.state, context.around
    about = [entry for entry in context.index.entries.values() if context.is_about(entry.key)]
    return Facts(
        entries=tuple(sorted((entry for entry in about if not entry.hook), key=lambda entry: entry.place)),
        to_apply={entry.key for entry in about if not in_sync(entry, state, around)},
        doomed=tuple(_doomed(context)),
        done=context.running.done,
        valid=context.running.valid,
        ready=lambda key: _ready(key, context),
        health=lambda key: _health(key, context),
        refused=tuple(_refused(about, context)),
    )


def _doomed(context: SyncContext) -> Iterable[Doomed]:
    """Yield what is to be pruned; of what stays, note why."""
    request, running = context.running.request, context.running
    for found in doomed(context.state, context.index, context.around):
        if request is not None and request.resources and not context.is_about(found.key):
            continue
        if running.prune and not found.kept:
            yield found
        elif found.key not in running.done:
            why = found.kept or "left: pruning was not asked for"
            running.done[found.key] = Result(found.key, found.kind, "PruneSkipped", why)


def _refused(about: Iterable[Entry], context: SyncContext) -> Iterable[Result]:
    """Yield what keeps the sync from touching anything."""
    state = context.state
    if context.running.only is None:
        for problem in context.index.problems:
            yield Result(problem.key, problem.kind, "SyncFailed", str(problem))
    exclusive = state.policy.on("FailOnSharedResource")
    for entry in about:
        other = shared(entry, state, context.around)
        if entry.hook:
            yield failed(entry, f"hook {entry.hook} is not supported by this agent")
        elif other and exclusive:
            yield failed(entry, f"belongs to application {other}, and FailOnSharedResource is set")


def _complete(finished: Finished, context: SyncContext) -> None:
    """Say of each object of the sync what became of it."""
    done = context.running.done
    about = [entry for entry in context.index.entries.values() if context.is_about(entry.key)]
    for result in _refused(about, context):
        done[result.key] = result
    for entry in about:
        if entry.key in done or entry.hook:
            continue
        if in_sync(entry, context.state, context.around):
            done[entry.key] = Result(entry.key, entry.kind, "Synced", "unchanged")
        elif not finished.succeeded:
            done[entry.key] = Result(entry.key, entry.kind, "SyncSkipped", "left as it was")


async def _learn_kinds(context: SyncContext) -> None:
    """Ask for kinds whose definition this sync brought."""
    discovery = context.around.cluster.discovery
    brought = {
        entry.kind
        for entry in context.index.entries.values()
        if any(key.kind == _DEFINITION and _is_there(key, context) for key in entry.needs)
    }
    for kind in sorted(kind for kind in brought if discovery.known(kind) is None):
        with contextlib.suppress(UnknownKind):
            await discovery.resource(kind)


def _ready(key: Key, context: SyncContext) -> bool:
    """A namespace can be used once it is there, a definition once its kind is served."""
    if not _is_there(key, context):
        return False
    if key.kind != _DEFINITION:
        return True
    dependents = {entry.kind for entry in context.index.entries.values() if key in entry.needs}
    return all(context.around.cluster.discovery.known(kind) for kind in dependents)


def _is_there(key: Key, context: SyncContext) -> bool:
    return context.around.inventory.get(key) is not None


def _health(key: Key, context: SyncContext) -> Health | None:
    live = context.around.inventory.get(key)
    return live.health if live else Health(MISSING)
