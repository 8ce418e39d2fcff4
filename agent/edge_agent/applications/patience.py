"""How long one sync of an application may take. Pure.

Counted from the sync's beginning in this life of the agent, by a clock that only runs forward, and not while a
sync window holds it up: an agent that was switched off for a week, or whose clock was set, has not been syncing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.sync.durations import duration_s

if TYPE_CHECKING:
    from edge_agent.applications.state import State
    from edge_agent.applications.surroundings import Surroundings

ANNOTATION = "outrider.dev/sync-timeout"


def timeout_s(state: State, around: Surroundings) -> float:
    """Return how long a sync may take; 0: as long as it takes."""
    return duration_s(_asked(state), around.settings.sync_timeout_s)


def overdue(state: State, around: Surroundings, now_s: float) -> str:
    """Return what to say of a sync that has taken too long; empty where there is none."""
    running = state.running
    if running is None or running.deadline_s is None or now_s < running.deadline_s:
        return ""
    return f"took longer than {_asked(state) or f'{timeout_s(state, around):g}s'}, its time-out" + _last(
        state
    )


def _asked(state: State) -> str:
    return str(state.desired.annotations.get(ANNOTATION) or "").strip() if state.desired else ""


def _last(state: State) -> str:
    """Return what it was doing, if it said so."""
    said = (state.progress.operation or {}).get("message", "") if state.progress else ""
    return f": {said}" if said else ""
