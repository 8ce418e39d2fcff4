"""What becomes of what somebody asks: refused with a sentence, or written down for the next pass.

As in Argo CD: one operation at a time; with automated sync on, no rollback and no other revision but as a dry
run; a sync window without `manualSync` refuses a person too. A rollback runs no hooks.

Unlike Argo CD: the site's hold refuses a person as well, unless the request says that it goes through; while one
stands, what syncs by itself can be rolled back, since nothing takes it forward before the hold ends, and that ends
a sync that began by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.applications.ending import refuse
from edge_agent.applications.gate import GOES_THROUGH, URGENT, gate_of
from edge_agent.applications.history import entry_of
from edge_agent.applications.in_force import SKIP, is_skipped, policy_in_force
from edge_agent.applications.keeping import keep, read_progress
from edge_agent.applications.model import Removal
from edge_agent.applications.progress import Approval, Progress
from edge_agent.applications.requests import Approve, Refresh, Rollback, Sync, Terminate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.applications.history import History
    from edge_agent.applications.model import Desired
    from edge_agent.applications.requests import Operation
    from edge_agent.applications.state import State
    from edge_agent.applications.surroundings import Surroundings


def refusal(
    operation: Operation,
    newest: Desired | Removal | None,
    waiting: Sequence[Operation],
    state: State,
    around: Surroundings,
) -> str:
    """Return why something can't be done, in a sentence for the person who asks; empty: it can. `waiting`: what
    was asked for before and isn't written down yet.
    """
    if isinstance(operation, Refresh):
        return ""
    app, desired = state.app, newest
    if desired is None or isinstance(desired, Removal):
        return "" if isinstance(operation, Approve) else f"{app} is being removed: nothing is synced any more"
    match operation:
        case Sync() | Rollback():
            return (
                _busy(operation, waiting, state)
                or _blocked(operation, desired, state, around)
                or _barred(operation, desired, state, around)
            )
        case Terminate():
            asked = any(isinstance(other, Sync | Rollback) for other in waiting)
            return (
                "" if asked or _goes_on(state) else f"no sync of {app} is under way, and none is tried again"
            )
        case Approve():
            return (
                "" if _is_running(state) else f"no sync of {app} is under way that could wait for an approval"
            )
    return ""


async def take_all(waiting: list[Operation], state: State, around: Surroundings) -> None:
    """Write requests down before anything is done for them, so that a restart loses none; they wait no more."""
    if not waiting:
        return
    progress = await read_progress(state, around)
    while waiting:
        take(waiting.pop(0), state, progress, around)
    await keep(state, around)


def take(operation: Operation, state: State, progress: Progress, around: Surroundings) -> None:
    """Have the next pass do what was asked."""
    match operation:
        case Refresh(hard):
            state.hard = state.hard or hard
        case Sync():
            progress.request, progress.tried = operation, 0
        case Rollback():
            progress.request, progress.tried = _rolled_back(operation, progress.history), 0
            if progress.request is None:
                refuse(_unknown(operation, state), state, progress, around)
        case Terminate():
            if _goes_on(state):
                progress.ending = f"terminated by {operation.initiated_by or 'unknown'}"
        case Approve():
            approval = Approval(around.now(), operation.initiated_by, operation.resources)
            progress.approvals = (*progress.approvals, approval)


def _rolled_back(operation: Rollback, history: History) -> Sync | None:
    entry = entry_of(history, operation.history_id)
    if entry is None:
        return None
    return Sync(
        id=operation.id,
        prune=operation.prune,
        dry_run=operation.dry_run,
        initiated_by=operation.initiated_by,
        revision=entry.revision,
        digest=bytes.fromhex(entry.digest),
        strategy="apply",
        despite_hold=operation.despite_hold,
    )


def _busy(operation: Sync | Rollback, waiting: Sequence[Operation], state: State) -> str:
    progress, app = state.progress, state.app
    if any(isinstance(other, Sync | Rollback) for other in waiting):
        return f"a sync of {app} was asked for just before; terminate it first"
    if progress is None:
        return ""
    waits = progress.request is not None and progress.tried == 0
    if not waits and (not _is_running(state) or _gives_way(operation, progress)):
        return ""
    since = (progress.operation or {}).get("startedAt", "")
    return f"a sync of {app} is under way" + (f" since {since}" if since else "") + "; terminate it first"


def _gives_way(operation: Sync | Rollback, progress: Progress) -> bool:
    """Say whether the sync under way ends for another: one that began by itself does for a rollback under a hold."""
    return isinstance(operation, Rollback) and operation.despite_hold and progress.request is None


def _blocked(operation: Sync | Rollback, desired: Desired, state: State, around: Surroundings) -> str:
    gate = gate_of(state, desired, around)
    if operation.dry_run:
        return ""
    if gate.held and not operation.despite_hold:
        return (
            f"{state.app} can't be synced now: it is {gate.held}; {GOES_THROUGH.replace('NAME', state.app)}"
        )
    return "" if gate.manual else f"{state.app} can't be synced now: it is {gate.why}"


def _barred(operation: Sync | Rollback, desired: Desired, state: State, around: Surroundings) -> str:
    if is_skipped(desired):
        return f"{state.app} is left alone while its annotation {SKIP} is set"
    automated = policy_in_force(desired, around).automated
    if isinstance(operation, Rollback):
        return (_undone(state, desired, around) if automated else "") or _unknown(operation, state)
    if not operation.digest:
        other = operation.revision not in ("", desired.revision)
        return (
            f"revision {operation.revision} is not what is desired, and its bundle is not named"
            if other
            else ""
        )
    if automated and not operation.dry_run and operation.short_digest != desired.digest:
        return (
            f"{state.app} can't be synced to revision {operation.revision} while automated sync keeps it at "
            f"{desired.revision}; turn it off first, or change what is desired"
        )
    return ""


def _undone(state: State, desired: Desired, around: Surroundings) -> str:
    """Say what would take a rollback back at once; nothing does while the application is held."""
    gate = gate_of(state, desired, around)
    if gate.held:
        return ""
    app = state.app
    if gate.passed:
        return f"{app} can't be rolled back: it syncs by itself, through holds too, while {URGENT} is set"
    return (
        f"{app} can't be rolled back while automated sync is on; turn it off first, or on its site hold it as well: "
        f"`outrider agent rollback {app} --hold`"
    )


def _unknown(operation: Rollback, state: State) -> str:
    if state.progress is None:
        return f"the history of {state.app} is being read; ask again"
    history = state.progress.history
    if entry_of(history, operation.history_id):
        return ""
    if operation.history_id is None:
        return f"{state.app} has nothing to be rolled back to: {len(history)} entries in its history"
    held = ", ".join(str(entry.id) for entry in history) or "none"
    return f"{state.app} has no history entry {operation.history_id}; it has {held}"


def _is_running(state: State) -> bool:
    """Say whether a sync is under way that somebody would notice; a heal gives way."""
    if state.running is not None:
        return state.running.only is None
    return state.progress is not None and state.progress.attempt.outcome == "Running"


def _goes_on(state: State) -> bool:
    """Say whether something is under way, or is going to be tried again."""
    progress = state.progress
    if progress is None:
        return False
    return (
        state.running is not None
        or progress.request is not None
        or progress.attempt.outcome == "Running"
        or (progress.attempt.outcome == "Failed" and state.policy.automated)
    )
