"""One pass over one application: desired -> live -> diff -> decide -> operate -> health -> status.

A pass starts from whatever is true and may be cut short anywhere: by a Kubernetes API that is away
(`Transient`), by something it must wait for, by the end of the process. The next one starts over and goes on
from there; nothing it does is done twice to any effect.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from edge_agent.applications import operation
from edge_agent.applications.bundle import Bundle
from edge_agent.applications.compare import compare, in_sync, shared
from edge_agent.applications.decide import Decision, Rest, Situation, decide
from edge_agent.applications.document import report
from edge_agent.applications.doomed import doomed
from edge_agent.applications.heals import healable
from edge_agent.applications.keeping import keep, read_progress
from edge_agent.applications.operate import Waiting, operate
from edge_agent.applications.sight import look_again_s, refusals, see, watches_of
from edge_agent.applications.state import Index, State, set_error
from edge_agent.applications.sync_context import SyncContext
from edge_agent.cluster import Transient
from edge_agent.sync import policy_of
from outrider.backoff import Backoff

if TYPE_CHECKING:
    from edge_agent.applications.progress import Progress
    from edge_agent.applications.surroundings import Surroundings

# Between looks at an API that a new definition begins to serve. Seconds.
_SOON = Backoff(first_s=0.2, cap_s=2.0)


async def reconcile(state: State, around: Surroundings) -> float | None:
    """Do the steps; return after how many seconds to look again at the latest. Raises `Transient` and
    `Blind`.
    """
    progress = await read_progress(state, around)
    spec = state.desired.spec if state.desired else {}
    state.policy = policy_of(spec, around.site.ignore_differences)
    async with Bundle(state, around) as bundle:
        index = await bundle.refresh_index()
        _live(index, state, progress, around)
        await compare(state, index, bundle, around)
        decision = decide(_situation(index, state, progress, around))
        wait_s = await _operate(decision, index, bundle, state, progress, around)
    await keep(state, around)
    report(state, index, around)
    return wait_s


def _live(index: Index, state: State, progress: Progress, around: Surroundings) -> None:
    """See that every kind in use is watched, and known; raises `Blind`."""
    progress.kinds |= index.kinds
    around.watches.use(state.app, progress.kinds)
    watches = watches_of(state.app, around)
    see(watches, around.settings.grace_s)
    set_error(state, "ComparisonError", refusals(watches))
    set_error(state, "UnknownError", "")


def _situation(index: Index, state: State, progress: Progress, around: Surroundings) -> Situation:
    now_s = asyncio.get_running_loop().time()
    off = [entry for entry in index.entries.values() if not entry.hook and not in_sync(entry, state, around)]
    taken = {entry.key for entry in off if shared(entry, state, around)}
    wanted = {entry.key for entry in off} - taken - set(state.unseen)
    ready, heal_at_s = healable(wanted, state, around.settings, now_s)
    return Situation(
        policy=state.policy,
        identity=index.identity,
        attempt=progress.attempt,
        request=progress.request,
        wanted=wanted,
        healable=ready,
        taken=taken,
        doomed={found.key for found in doomed(state, index, around) if not found.kept},
        empty=not index.entries and not index.problems,
        problems=bool(index.problems) or any(entry.hook for entry in index.entries.values()),
        now_s=now_s,
        retry_at_s=state.retry_at_s,
        heal_at_s=heal_at_s,
    )


async def _operate(
    decision: Decision, index: Index, bundle: Bundle, state: State, progress: Progress, around: Surroundings
) -> float | None:
    if isinstance(decision, Rest):
        operation.stop(decision, state, progress, index, around)
        return _sooner(decision.until_s, look_again_s(state.app, around))
    running = await operation.begin(decision, state, progress, index, around)
    try:
        outcome = await operate(SyncContext(state, running, index, bundle, around))
    except Transient as error:
        operation.say(running, progress, f"waits for the Kubernetes API: {error}")
        raise
    if isinstance(outcome, Waiting):
        operation.say(running, progress, outcome.reason)
        running.asked = running.asked + 1 if outcome.soon else 0
        return (
            _SOON.delay_s(running.asked - 1, around.chance)
            if outcome.soon
            else look_again_s(state.app, around)
        )
    operation.end(outcome, state, progress, index, around)
    # What the sync was not about may be out of sync still: the next decision is a fresh one.
    return 0.0


def _sooner(until_s: float | None, look_again: float | None) -> float | None:
    waits_s = [] if until_s is None else [max(0.0, until_s - asyncio.get_running_loop().time())]
    waits_s += [] if look_again is None else [look_again]
    return min(waits_s) if waits_s else None
