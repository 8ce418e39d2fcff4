"""What an application's sync windows and the site's holds allow at this moment: asked once, and again when that may have changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edge_agent.sync.windows import OPEN, Gate, judge, windows_of

if TYPE_CHECKING:
    from edge_agent.applications.model import Desired
    from edge_agent.applications.state import State
    from edge_agent.applications.surroundings import Surroundings

CONDITION = "SyncWindow"
HOLD_CONDITION = "Hold"
URGENT = "outrider.dev/urgent"
GOES_THROUGH = "`outrider app sync NAME --urgent` goes through it, and on the site `outrider agent sync NAME --despite-hold`"


def gate_of(state: State, desired: Desired | None, around: Surroundings) -> Gate:
    """Return what is allowed now."""
    gate, held = _windows(state, desired, around), around.holds.on(state.app)
    if held is None:
        return gate
    if desired is not None and is_urgent(desired):
        return replace(gate, passed=held.why, held_for_s=held.for_s)
    return replace(gate, held=held.why, held_for_s=held.for_s)


def is_urgent(desired: Desired) -> bool:
    """Say whether what is desired goes through a hold."""
    return desired.annotations.get(URGENT) == "true"


def changes_in_s(gate: Gate, around: Surroundings) -> float | None:
    """Return after how many seconds to ask again; None: not before something else changes."""
    if gate is OPEN:
        return None
    check_s = around.settings.clock_check_s
    waits_s = [check_s] if gate.held_for_s is None else [check_s, gate.held_for_s]
    if gate.until is not None:
        waits_s.append(max(0.0, (gate.until - around.clock()).total_seconds()))
    return min(waits_s)


def condition(gate: Gate, *, waits: bool) -> str:
    """Return what a person reads: what a sync waits for and until when, and which windows can't be read."""
    waiting = [f"a sync waits: it is {gate.why}"] if waits and gate.why else []
    return "; ".join([*waiting, *gate.faults])


def hold_condition(gate: Gate, *, waits: bool) -> str:
    """Return who holds the application until when and why; it stands for as long as the hold does."""
    if gate.passed:
        return f"what is desired goes through it, being urgent ({URGENT}): {gate.passed}"
    if not gate.held:
        return ""
    return f"a sync waits: it is {gate.held}" if waits else gate.held


def _windows(state: State, desired: Desired | None, around: Surroundings) -> Gate:
    windows = windows_of(desired.spec) if desired else ()
    if not windows:
        state.gate, state.gate_of = OPEN, ((), "")
        return OPEN
    about, now = (windows, around.site.time_zone or "UTC"), around.clock()
    if state.gate_of != about or not state.gate.holds_at(now):
        state.gate, state.gate_of = judge(windows, now, about[1]), about
    return state.gate
