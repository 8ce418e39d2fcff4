"""An operation's life: begun, under way over several passes, ended or stopped; written down at both ends.

`operationState` says what a person reads; the attempt says what the next decision goes by. Both are in the
progress store before anything is applied, so that a sync cut off by a crash is known as one that was running.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from edge_agent.applications.document import report
from edge_agent.applications.doomed import doomed
from edge_agent.applications.heals import spend
from edge_agent.applications.keeping import keep
from edge_agent.applications.progress import Attempt, Progress
from edge_agent.applications.state import Index, Running, State, set_error

if TYPE_CHECKING:
    from edge_agent.applications.decide import Begin, Rest
    from edge_agent.applications.surroundings import Surroundings
    from edge_agent.sync import Finished


async def begin(
    wanted: Begin, state: State, progress: Progress, index: Index, around: Surroundings
) -> Running:
    """Go on with the sync that is under way, if it still is the one to do; else write down that one
    begins, and begin.
    """
    held = state.running
    if held and _covers(held, index, wanted):
        return held
    only = None if wanted.only is None else frozenset(wanted.only)
    if only is not None:
        spend(only, state, around.settings, asyncio.get_running_loop().time())
    started_at = _started_before(state, progress, index) or around.now()
    state.running = Running(index.identity, wanted.request, only, wanted.prune, wanted.dry_run, started_at)
    if not wanted.dry_run:
        same = progress.attempt.identity == index.identity
        progress.attempt = Attempt(index.identity, "Running", progress.attempt.failures if same else 0)
    say(state.running, progress, "in progress")
    await keep(state, around)
    report(state, index, around)
    return state.running


def say(running: Running, progress: Progress, message: str) -> None:
    """Say how far a sync is."""
    operation: dict[str, Any] = {"phase": "Running", "message": message, "startedAt": running.started_at}
    if progress.attempt.failures:
        operation["retryCount"] = progress.attempt.failures
    progress.operation = operation


def end(finished: Finished, state: State, progress: Progress, index: Index, around: Surroundings) -> None:
    """Take in that the sync under way is over."""
    running, state.running = state.running, None
    if running is None:
        raise RuntimeError(f"no sync of {state.app} is under way")
    operation: dict[str, Any] = {
        "phase": "Succeeded" if finished.succeeded else "Failed",
        "message": finished.message,
        "startedAt": running.started_at,
        "finishedAt": around.now(),
        "syncResult": {
            "revision": state.desired.revision if state.desired else "",
            "resources": [result.document() for _, result in sorted(running.done.items())],
        },
    }
    if progress.attempt.failures:
        operation["retryCount"] = progress.attempt.failures
    progress.operation = operation
    if running.request is not None and progress.request == running.request:
        progress.request = None
    if not running.dry_run:
        _count(finished, state, progress, index, around)


def stop(rest: Rest, state: State, progress: Progress, index: Index, around: Surroundings) -> None:
    """Take in that no sync is to be done; one that was under way, or asked for and refused, is over."""
    if rest.error is not None:
        set_error(state, "SyncError", rest.error)
    if rest.settled:
        progress.attempt = Attempt(index.identity, "Succeeded")
    elif progress.attempt.outcome == "Running":
        progress.attempt = Attempt(progress.attempt.identity, "Failed", progress.attempt.failures)
    running, state.running = state.running, None
    refused, progress.request = progress.request, None
    if running or refused or (progress.operation or {}).get("phase") == "Running":
        now = around.now()
        progress.operation = {
            "phase": "Failed",
            "message": rest.error or "stopped: it is no longer asked for",
            "startedAt": running.started_at if running else now,
            "finishedAt": now,
        }


def _count(finished: Finished, state: State, progress: Progress, index: Index, around: Surroundings) -> None:
    if finished.succeeded:
        progress.attempt = Attempt(index.identity, "Succeeded")
        progress.kinds = index.kinds | {found.kind for found in doomed(state, index, around)}
        set_error(state, "SyncError", "")
        return
    failures = progress.attempt.failures + 1
    progress.attempt = Attempt(index.identity, "Failed", failures)
    delay_s = state.policy.backoff.delay_s(failures - 1, around.chance)
    state.retry_at_s = asyncio.get_running_loop().time() + delay_s
    set_error(state, "SyncError", finished.message)


def _started_before(state: State, progress: Progress, index: Index) -> str:
    """A sync that a crash cut off goes on under its own start."""
    went_on = (
        state.running is None
        and progress.attempt.outcome == "Running"
        and progress.attempt.identity == index.identity
        and progress.operation is not None
    )
    return str(progress.operation["startedAt"]) if went_on and progress.operation else ""


def _covers(held: Running, index: Index, wanted: Begin) -> bool:
    """Say whether the sync under way is the one that is to be done."""
    same = (held.identity, held.request, held.prune) == (index.identity, wanted.request, wanted.prune)
    return same and (held.only is None or wanted.only is None or wanted.only <= held.only)
