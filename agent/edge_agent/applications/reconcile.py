"""One pass over one application: desired -> live -> diff -> decide -> operate -> health -> status.

A pass starts from whatever is true and may be cut short anywhere: by a Kubernetes API that is away
(`Transient`), by something it must wait for, by the end of the process. The next one starts over and goes on
from there; nothing it does is done twice to any effect.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from edge_agent.applications import ending, operation, patience
from edge_agent.applications.bundle import Bundle
from edge_agent.applications.compare import compare
from edge_agent.applications.decide import Begin, Decision, End, Rest, Wait, decide
from edge_agent.applications.document import report
from edge_agent.applications.gate import (
    CONDITION,
    HOLD_CONDITION,
    changes_in_s,
    condition,
    gate_of,
    hold_condition,
)
from edge_agent.applications.history import trimmed
from edge_agent.applications.hooks import stop_former_hooks
from edge_agent.applications.in_force import policy_in_force
from edge_agent.applications.keeping import keep, read_progress
from edge_agent.applications.operate import Waiting, operate
from edge_agent.applications.requests import RequestRefused
from edge_agent.applications.sight import look_again_s, refusals, see, watches_of
from edge_agent.applications.situation import situation_of
from edge_agent.applications.state import Index, State, set_error
from edge_agent.applications.sync_context import SyncContext
from edge_agent.applications.target import Target, target_of
from edge_agent.cluster import Transient
from outrider.backoff import Backoff

if TYPE_CHECKING:
    from edge_agent.applications.progress import Progress
    from edge_agent.applications.surroundings import Surroundings
    from edge_agent.sync.windows import Gate

# Between looks at an API that a new definition begins to serve. Seconds.
_SOON = Backoff(first_s=0.2, cap_s=2.0)


async def reconcile(state: State, around: Surroundings) -> float | None:
    """Do the steps; return after how many seconds to look again at the latest. Raises `Transient` and
    `Blind`.
    """
    progress = await read_progress(state, around)
    state.policy = policy_in_force(state.desired, around)
    progress.history = trimmed(progress.history, state.policy.history_limit)
    async with contextlib.AsyncExitStack() as bundles:
        bundle = await bundles.enter_async_context(Bundle(state, around))
        index = await bundle.refresh_index()
        target = await _target(index, bundle, state, progress, around, bundles)
        _live(index, target, state, progress, around)
        await compare(target.state, target.index, target.bundle, around)
        target.hand_back(state)
        if ending.supersede(target, state, progress, around):
            report(state, index, around)
        situation = situation_of(target, state, progress, around)
        decision = decide(situation)
        _tell_gate(situation.gate, state, waits=isinstance(decision, Wait))
        wait_s = await _act(decision, target, state, progress, around)
    await keep(state, around)
    report(state, index, around)
    return wait_s


def _tell_gate(gate: Gate, state: State, *, waits: bool) -> None:
    set_error(state, CONDITION, condition(gate, waits=waits))
    set_error(state, HOLD_CONDITION, hold_condition(gate, waits=waits))


def _live(index: Index, target: Target, state: State, progress: Progress, around: Surroundings) -> None:
    """See that every kind in use is watched, and known; raises `Blind`."""
    progress.kinds |= index.kinds | target.index.kinds
    around.watches.use(state.app, progress.kinds)
    watches = watches_of(state.app, around)
    see(watches, around.settings.grace_s)
    set_error(state, "ComparisonError", refusals(watches))
    set_error(state, "UnknownError", "")


async def _target(
    index: Index,
    bundle: Bundle,
    state: State,
    progress: Progress,
    around: Surroundings,
    bundles: contextlib.AsyncExitStack,
) -> Target:
    """Return what the pass may sync; a request for what can't be had is over."""
    try:
        return await target_of(index, bundle, state, progress, around, bundles)
    except RequestRefused as refusal:
        ending.refuse(str(refusal), state, progress, around)
        return await target_of(index, bundle, state, progress, around, bundles)


async def _act(
    decision: Decision, target: Target, state: State, progress: Progress, around: Surroundings
) -> float | None:
    match decision:
        case Rest():
            await stop_former_hooks(state, around)
            ending.stop(decision, target, state, progress, around)
            return _soonest(_in_s(decision.until_s), look_again_s(state.app, around))
        case Wait():
            operation.pause(decision.why, state, progress, around)
            return _soonest(_in_s(decision.until_s), look_again_s(state.app, around))
        case End():
            ending.cut(decision, target, state, progress, around)
            # Its hooks are stopped by the pass that follows.
            return 0.0
        case Begin():
            return await _operate(decision, target, state, progress, around)


async def _operate(
    wanted: Begin, target: Target, state: State, progress: Progress, around: Surroundings
) -> float | None:
    timeout_s = patience.timeout_s(state, around)
    running = await operation.begin(wanted, target, state, progress, around, timeout_s)
    try:
        outcome = await operate(SyncContext(target.state, running, target.index, target.bundle, around))
    except Transient as error:
        operation.say(running, progress, f"waits for the Kubernetes API: {error}")
        raise
    if isinstance(outcome, Waiting):
        operation.say(running, progress, outcome.reason)
        running.asked = running.asked + 1 if outcome.soon else 0
        return _soonest(
            _SOON.delay_s(running.asked - 1, around.chance) if outcome.soon else None,
            outcome.within_s,
            look_again_s(state.app, around),
            _in_s(running.deadline_s),
            changes_in_s(gate_of(state, state.desired, around), around),
        )
    ending.end(outcome, target, state, progress, around)
    # What the sync was not about may be out of sync still: the next decision is a fresh one.
    return 0.0


def _soonest(*waits_s: float | None) -> float | None:
    return min((wait_s for wait_s in waits_s if wait_s is not None), default=None)


def _in_s(at_s: float | None) -> float | None:
    return None if at_s is None else max(0.0, at_s - asyncio.get_running_loop().time())
