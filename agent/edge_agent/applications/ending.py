"""How an operation ends: done, failed, cut off, superseded, or no longer wanted; and what that means for the next.

Where it is cut off or superseded nothing more is begun for it, and its hooks that run are stopped by the next
pass. A success of everything is an entry of the history.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from edge_agent.applications.doomed import doomed
from edge_agent.applications.history import extended
from edge_agent.applications.operation import asked
from edge_agent.applications.progress import Attempt, Progress
from edge_agent.applications.state import Running, State, set_error

if TYPE_CHECKING:
    from edge_agent.applications.decide import End, Rest
    from edge_agent.applications.surroundings import Surroundings
    from edge_agent.applications.target import Target
    from edge_agent.sync import Finished


def end(finished: Finished, target: Target, state: State, progress: Progress, around: Surroundings) -> None:
    """Take in that the sync under way is over."""
    running, state.running = state.running, None
    if running is None:
        raise RuntimeError(f"no sync of {state.app} is under way")
    _tell(running, progress, around, finished.message, succeeded=finished.succeeded)
    if finished.succeeded:
        _succeeded(running, target, state, progress, around)
    else:
        _failed(finished.message, running, target, state, progress, around)


def cut(found: End, target: Target, state: State, progress: Progress, around: Surroundings) -> None:
    """Take in that what is under way, or tried again, ends before its end."""
    running, state.running = state.running, None
    progress.ending = ""
    progress.hooks = progress.hooks.next("")
    _tell(running, progress, around, found.message, succeeded=False)
    if not found.for_good and running is not None:
        _failed(found.message, running, target, state, progress, around)
        return
    progress.request, progress.tried, progress.approvals = None, 0, ()
    progress.attempt = Attempt(target.index.identity, "Terminated", progress.attempt.failures)
    set_error(state, "SyncError", found.message)


def supersede(target: Target, state: State, progress: Progress, around: Surroundings) -> bool:
    """End a sync of something else than what is to be there now; say whether there was one."""
    running, attempt = state.running, progress.attempt
    other = attempt.outcome == "Running" and attempt.identity != target.index.identity
    if not other and (running is None or running.identity == target.index.identity):
        return False
    state.running = None
    progress.hooks = progress.hooks.next("")
    _tell(running, progress, around, f"superseded by {_title(target, progress)}", succeeded=False)
    if other:
        progress.attempt = Attempt(attempt.identity, "Failed", attempt.failures)
    return True


def refuse(message: str, state: State, progress: Progress, around: Surroundings) -> None:
    """Take in that what somebody asked for can't be done."""
    progress.request, progress.tried = None, 0
    _tell(None, progress, around, message, succeeded=False, startable=True)
    set_error(state, "SyncError", message)


def stop(rest: Rest, target: Target, state: State, progress: Progress, around: Surroundings) -> None:
    """Take in that no sync is to be done; one that was under way, or asked for and refused, is over."""
    if rest.error is not None:
        set_error(state, "SyncError", rest.error)
    if rest.settled:
        progress.attempt = Attempt(target.index.identity, "Succeeded")
    elif progress.attempt.outcome == "Running":
        progress.attempt = Attempt(progress.attempt.identity, "Failed", progress.attempt.failures)
    running, state.running = state.running, None
    refused = bool(rest.error) and progress.request is not None
    if refused:
        progress.request, progress.tried = None, 0
    if running or refused or (progress.operation or {}).get("phase") == "Running":
        progress.hooks = progress.hooks.next("")
        message = rest.error or "stopped: it is no longer asked for"
        _tell(running, progress, around, message, succeeded=False, startable=refused)


def _tell(
    running: Running | None,
    progress: Progress,
    around: Surroundings,
    message: str,
    *,
    succeeded: bool,
    startable: bool = False,
) -> None:
    """Write down how it ended; `startable`: it had not begun, and is not to be taken for the one before."""
    now = around.now()
    before = {} if running or startable else progress.operation or {}
    operation: dict[str, Any] = {
        "phase": "Succeeded" if succeeded else "Failed",
        "message": message,
        "startedAt": running.started_at if running else before.get("startedAt", now),
        "finishedAt": now,
    }
    for name in ("operation", "syncResult"):
        if name in before:
            operation[name] = before[name]
    if running:
        operation["operation"] = asked(running)
        operation["syncResult"] = _result(running)
    if progress.attempt.failures:
        operation["retryCount"] = progress.attempt.failures
    progress.operation = operation


def _result(running: Running) -> dict[str, Any]:
    found: dict[str, Any] = {"revision": running.revision}
    if "," in running.revision:
        found["revisions"] = running.revision.split(",")
    found["resources"] = [
        *(result.document() for _, result in sorted(running.done.items())),
        *(result.document() for result in running.hook_results),
    ]
    return found


def _succeeded(
    running: Running, target: Target, state: State, progress: Progress, around: Surroundings
) -> None:
    if running.request is not None and progress.request == running.request:
        progress.request, progress.tried = None, 0
    if running.dry_run:
        return
    progress.approvals = ()
    progress.attempt = Attempt(target.index.identity, "Succeeded")
    progress.kinds = target.index.kinds | {found.kind for found in doomed(target.state, target.index, around)}
    set_error(state, "SyncError", "")
    if running.only is None and not (running.request and running.request.resources):
        made = {
            "revision": running.revision,
            "digest": running.digest,
            "started_at": running.started_at,
            "deployed_at": around.now(),
            "initiated_by": running.request.who if running.request else "",
        }
        progress.history = extended(progress.history, made, state.policy.history_limit)


def _failed(
    message: str, running: Running, target: Target, state: State, progress: Progress, around: Surroundings
) -> None:
    """Count a failure, and have it tried again where that is wanted."""
    failures = progress.attempt.failures + 1
    if running.request is not None and progress.request == running.request:
        progress.tried += 1
        limit = _limit(running, state)
        if running.dry_run or (limit is not None and progress.tried > limit):
            progress.request, progress.tried = None, 0
        else:
            failures = progress.tried
    if running.dry_run:
        return
    progress.attempt = Attempt(target.index.identity, "Failed", failures)
    delay_s = state.policy.backoff.delay_s(failures - 1, around.chance)
    state.retry_at_s = asyncio.get_running_loop().time() + delay_s
    set_error(state, "SyncError", message)


def _limit(running: Running, state: State) -> int | None:
    asked_for = running.request.retry_limit if running.request else None
    if asked_for is None:
        return state.policy.asked_retry_limit
    return None if asked_for < 0 else asked_for


def _title(target: Target, progress: Progress) -> str:
    began = (progress.operation or {}).get("operation", {}).get("sync", {}).get("revision")
    if began == target.revision:
        return "the same revision under other settings"
    return f"revision {target.revision}" if target.revision else "what is desired since"
