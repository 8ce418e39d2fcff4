"""The fourth step of a pass: what is so, put together for the decision."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from edge_agent.applications.compare import in_sync, is_outrun, shared
from edge_agent.applications.decide import Situation
from edge_agent.applications.doomed import doomed
from edge_agent.applications.gate import changes_in_s, gate_of
from edge_agent.applications.heals import healable
from edge_agent.applications.patience import overdue

if TYPE_CHECKING:
    from edge_agent.applications.progress import Progress
    from edge_agent.applications.state import State
    from edge_agent.applications.surroundings import Surroundings
    from edge_agent.applications.target import Target


def situation_of(target: Target, state: State, progress: Progress, around: Surroundings) -> Situation:
    """Return what to decide by."""
    now_s, index, view = asyncio.get_running_loop().time(), target.index, target.state
    off = [entry for entry in index.entries.values() if not in_sync(entry, view, around)]
    taken = {entry.key for entry in off if shared(entry, view, around)}
    wanted = {entry.key for entry in off} - taken - set(view.unseen)
    # What has changed since it was looked at is looked at again before it is written: the next pass is due.
    known = wanted - {entry.key for entry in off if is_outrun(entry, view, around)}
    ready, heal_at_s = healable(known, state, around.settings, now_s)
    gate = gate_of(state, state.desired, around)
    gate_in_s = changes_in_s(gate, around)
    return Situation(
        policy=state.policy,
        identity=index.identity,
        attempt=progress.attempt,
        request=progress.request,
        wanted=wanted,
        healable=ready,
        taken=taken,
        doomed={found.key for found in doomed(view, index, around) if not found.kept and not found.going},
        empty=not index.entries and not index.problems,
        problems=bool(index.problems),
        now_s=now_s,
        retry_at_s=state.retry_at_s,
        heal_at_s=heal_at_s,
        tried=progress.tried,
        ending=progress.ending,
        overdue=overdue(state, around, now_s),
        gate=gate,
        gate_at_s=None if gate_in_s is None else now_s + gate_in_s,
    )
