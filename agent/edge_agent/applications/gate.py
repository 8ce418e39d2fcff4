"""What an application's sync windows allow at this moment: asked once, and again when that may have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.sync.windows import OPEN, Gate, judge, windows_of

if TYPE_CHECKING:
    from edge_agent.applications.model import Desired
    from edge_agent.applications.state import State
    from edge_agent.applications.surroundings import Surroundings

CONDITION = "SyncWindow"


def gate_of(state: State, desired: Desired | None, around: Surroundings) -> Gate:
    """Return what is allowed now."""
    windows = windows_of(desired.spec) if desired else ()
    if not windows:
        state.gate, state.gate_of = OPEN, ((), "")
        return OPEN
    about, now = (windows, around.site.time_zone or "UTC"), around.clock()
    if state.gate_of != about or not state.gate.holds_at(now):
        state.gate, state.gate_of = judge(windows, now, about[1]), about
    return state.gate


def changes_in_s(gate: Gate, around: Surroundings) -> float | None:
    """Return after how many seconds to ask again; None: not before something else changes."""
    if gate is OPEN:
        return None
    check_s = around.settings.clock_check_s
    if gate.until is None:
        return check_s
    return min(max(0.0, (gate.until - around.clock()).total_seconds()), check_s)


def condition(gate: Gate, *, waits: bool) -> str:
    """Return what a person reads: what a sync waits for and until when, and which windows can't be read."""
    waiting = [f"a sync waits: it is {gate.why}"] if waits else []
    return "; ".join([*waiting, *gate.faults])
