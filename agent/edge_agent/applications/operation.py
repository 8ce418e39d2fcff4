"""An operation's life: begun, under way over several passes, paused; written down at its beginning. How it ends is in
`ending`.

`operationState` says what a person reads; the attempt says what the next decision goes by. Both are in the
progress store before anything is applied, so that a sync cut off by a crash is known as one that was running.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from edge_agent.applications.document import report
from edge_agent.applications.heals import spend
from edge_agent.applications.history import initiator
from edge_agent.applications.keeping import keep
from edge_agent.applications.progress import Attempt, Progress
from edge_agent.applications.state import Running, State

if TYPE_CHECKING:
    from edge_agent.applications.decide import Begin
    from edge_agent.applications.surroundings import Surroundings
    from edge_agent.applications.target import Target


async def begin(
    wanted: Begin, target: Target, state: State, progress: Progress, around: Surroundings, timeout_s: float
) -> Running:
    """Go on with the sync that is under way, if it still is the one to do; else write down that one
    begins, and begin. `timeout_s` 0: it may take as long as it takes.
    """
    now_s = asyncio.get_running_loop().time()
    held = state.running
    if held and _covers(held, target, wanted):
        _resume(held, now_s)
        return held
    only = None if wanted.only is None else frozenset(wanted.only)
    if only is not None:
        spend(only, state, around.settings, now_s)
    progress.heals = only is not None
    started_before = _started_before(state, progress, target)
    if not started_before or not progress.hooks.sync:
        progress.hooks = progress.hooks.next(around.sync_id())
    state.running = Running(
        target.index.identity,
        wanted.request,
        only,
        wanted.prune,
        wanted.dry_run,
        started_before or around.now(),
        touched=bool(started_before),
        revision=target.revision,
        digest=target.digest,
        deadline_s=now_s + timeout_s if timeout_s else None,
    )
    if not wanted.dry_run:
        same = progress.attempt.identity == target.index.identity
        progress.attempt = Attempt(target.index.identity, "Running", progress.attempt.failures if same else 0)
    say(state.running, progress, "in progress")
    await keep(state, around)
    report(state, state.index, around)
    return state.running


def say(running: Running, progress: Progress, message: str) -> None:
    """Say how far a sync is."""
    operation: dict[str, Any] = {
        "phase": "Running",
        "message": message,
        "startedAt": running.started_at,
        "operation": asked(running),
    }
    if progress.attempt.failures:
        operation["retryCount"] = progress.attempt.failures
    progress.operation = operation


def pause(why: str, state: State, progress: Progress, around: Surroundings) -> None:
    """Take in that a sync window or a hold is in the way: of what is under way, or of what somebody asked for."""
    running = state.running
    if running is not None:
        if running.deadline_s is not None:
            running.left_s = max(0.0, running.deadline_s - asyncio.get_running_loop().time())
            running.deadline_s = None
        say(running, progress, why)
    elif progress.attempt.outcome == "Running" and progress.operation:
        progress.operation = {**progress.operation, "message": why}
    elif progress.request is not None and (progress.operation or {}).get("phase") != "Running":
        progress.operation = {"phase": "Running", "message": why, "startedAt": around.now()}


def asked(running: Running) -> dict[str, Any]:
    """Return what was asked for and by whom, as `operationState.operation` has it."""
    request = running.request
    sync: dict[str, Any] = {"revision": running.revision}
    if running.prune:
        sync["prune"] = True
    if running.dry_run:
        sync["dryRun"] = True
    if request is None:
        return {"initiatedBy": initiator(""), "sync": sync}
    if request.resources:
        sync["resources"] = [
            {"group": one.group, "kind": one.kind, "namespace": one.namespace, "name": one.name}
            for one in request.resources
        ]
    if request.options is not None:
        sync["syncOptions"] = list(request.options)
    return {"initiatedBy": initiator(request.who), "sync": sync}


def _resume(held: Running, now_s: float) -> None:
    held.cut = ""
    if held.left_s is not None:
        held.deadline_s, held.left_s = now_s + held.left_s, None


def _started_before(state: State, progress: Progress, target: Target) -> str:
    """A sync that a crash cut off goes on under its own start."""
    went_on = (
        state.running is None
        and progress.attempt.outcome == "Running"
        and progress.attempt.identity == target.index.identity
        and progress.operation is not None
    )
    return str(progress.operation["startedAt"]) if went_on and progress.operation else ""


def _covers(held: Running, target: Target, wanted: Begin) -> bool:
    """Say whether the sync under way is the one that is to be done."""
    same = (held.identity, held.request, held.prune) == (target.index.identity, wanted.request, wanted.prune)
    return same and (held.only is None or wanted.only is None or wanted.only <= held.only)
