"""The third step of a pass: is each object what is desired of it?

A verdict is kept and holds while neither side of it changes, so that an event that changes only a status
costs no request. Otherwise the live object is read, projected, and on suspicion the apply is run dry (see
`edge_agent.diff`). Objects are compared at the same time; the transport bounds how many.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from edge_agent.applications.predict import was_merged_otherwise, would_be
from edge_agent.applications.sight import is_followed
from edge_agent.cluster import (
    FIELD_MANAGER,
    ClusterError,
    NotFound,
    Object,
    Transient,
)
from edge_agent.diff import ExpressionFailed, changes, hidden, ignored, suspicion, verdict
from edge_agent.diff.compare_options import BY_WEBHOOKS, SERVER_SIDE, options_of

if TYPE_CHECKING:
    from edge_agent.applications.bundle import Bundle
    from edge_agent.applications.inventory import Live
    from edge_agent.applications.state import Index, State
    from edge_agent.applications.surroundings import Surroundings
    from edge_agent.sync import Entry

# Objects that change while they are looked at are looked at again, so often in one pass.
ROUNDS_MAX = 3


async def compare(state: State, index: Index, bundle: Bundle, around: Surroundings) -> None:
    """Bring `verdicts`, `absent` and `unseen` up to date. Raises `Transient`."""
    _forget_others(state, index)
    compare_options = options_of(state.desired.annotations if state.desired else {})
    if state.hard or compare_options != state.compare_options:
        state.hard, state.compare_options = False, compare_options
        state.verdicts.clear()
        state.absent.clear()
    else:
        _recall(state, index, around)
    open_questions = [entry for entry in index.entries.values() if _is_open(entry, state, index, around)]
    for _ in range(ROUNDS_MAX):
        if not open_questions:
            return
        failures: list[Transient] = []
        async with asyncio.TaskGroup() as tasks:
            for entry in open_questions:
                tasks.create_task(
                    _settle(entry, state, bundle, around, failures), name=f"compare {entry.key}"
                )
        if failures:
            raise failures[0]
        open_questions = [entry for entry in open_questions if is_outrun(entry, state, around)]


def _recall(state: State, index: Index, around: Surroundings) -> None:
    """Take over verdicts of before a restart where they still hold."""
    if state.progress is None:
        return
    for key, found in state.progress.in_sync.items():
        entry, live = index.entries.get(key), around.inventory.get(key)
        if entry and live and key not in state.verdicts and found.holds_for(entry.digest, live.state):
            state.verdicts[key] = found


def in_sync(entry: Entry, state: State, around: Surroundings) -> bool:
    """Say whether an object is known to be what is desired of it."""
    live, found = around.inventory.get(entry.key), state.verdicts.get(entry.key)
    return bool(live and found and found.in_sync and found.holds_for(entry.digest, live.state))


def is_outrun(entry: Entry, state: State, around: Surroundings) -> bool:
    """Say whether an object has changed since it was looked at: what was found holds no more, and nothing is
    known of how it is now. No reason to write it.
    """
    live, found = around.inventory.get(entry.key), state.verdicts.get(entry.key)
    return bool(live and found and not found.holds_for(entry.digest, live.state))


def _forget_others(state: State, index: Index) -> None:
    for held in (state.verdicts, state.absent, state.unseen):
        for key in [key for key in held if key not in index.entries]:
            del held[key]


def _is_open(entry: Entry, state: State, index: Index, around: Surroundings) -> bool:
    if entry.kind in index.unserved:
        return False
    live, found = around.inventory.get(entry.key), state.verdicts.get(entry.key)
    if live is None:
        # Not in the watch: deleted, or without the label. Asked for once per desired state, and again when it
        # was seen since. Before the first sync the dry run will tell.
        if _sync_is_next(state, index):
            return False
        return state.absent.get(entry.key) != entry.digest or found is not None
    if _sync_is_next(state, index) and found is not None and found.desired != entry.digest:
        # What is desired has changed: it is going to be applied, and the sync makes its own dry run.
        return False
    return (
        not is_followed(entry.key, around) or found is None or not found.holds_for(entry.digest, live.state)
    )


def _sync_is_next(state: State, index: Index) -> bool:
    attempted = state.progress.attempt.identity if state.progress else ""
    return state.policy.automated and attempted != index.identity


async def _settle(
    entry: Entry, state: State, bundle: Bundle, around: Surroundings, failures: list[Transient]
) -> None:
    try:
        state.unseen.pop(entry.key, None)
        live = await around.cluster.get(entry.kind, entry.key)
    except NotFound:
        state.verdicts.pop(entry.key, None)
        state.absent[entry.key] = entry.digest
        return
    except Transient as error:
        failures.append(error)
        return
    except ClusterError as error:
        state.unseen[entry.key] = str(error)
        return
    state.absent.pop(entry.key, None)
    try:
        await _judge(entry, live, state, bundle, around)
    except Transient as error:
        failures.append(error)
    except ClusterError as error:
        state.unseen[entry.key] = str(error)


async def _judge(entry: Entry, live: Object, state: State, bundle: Bundle, around: Surroundings) -> None:
    manifest = (await bundle.manifests())[entry.key]
    try:
        paths = await _paths(entry, manifest, live, state, around)
    except ExpressionFailed as error:
        # Neither in sync nor to be healed: what somebody asked to be left alone can't be told from the rest.
        state.verdicts.pop(entry.key, None)
        state.unseen[entry.key] = str(error)
        return
    live = await around.as_watched(live)
    around.inventory.observe(live)
    # About this very state: where the inventory holds a newer one by now, the verdict doesn't hold and is
    # asked for again.
    state.verdicts[entry.key] = verdict(manifest, entry.digest, live, FIELD_MANAGER, paths)


async def _paths(
    entry: Entry, manifest: Object, live: Object, state: State, around: Surroundings
) -> tuple[str, ...]:
    """Return where an object differs. Raises `ExpressionFailed`."""
    what = ignored(state.policy.ignore, entry.key)
    wanted, found = await hidden(what, [manifest, live], live, around.expressions)
    paths = suspicion(wanted, found, FIELD_MANAGER)
    asked = SERVER_SIDE in state.compare_options or was_merged_otherwise(entry, manifest, live, state)
    if not paths and not asked:
        return paths
    try:
        predicted = await would_be(entry, manifest, live, state, around)
    except Transient:
        raise
    except ClusterError:
        # Not a valid object, or no right to patch: it differs by what the projection says, and a sync will say
        # why it can't be applied.
        return paths
    (expected,) = await hidden(what, [predicted], live, around.expressions)
    return changes(found, expected, FIELD_MANAGER, by_others=BY_WEBHOOKS in state.compare_options)


def shared(entry: Entry, state: State, around: Surroundings) -> str:
    """Return the other application that an object names, if any."""
    live: Live | None = around.inventory.get(entry.key)
    return live.claimed if live and live.claimed and live.claimed != state.app else ""
