"""The fifth step of a pass: carry a sync on as far as it goes.

What comes next is decided by `edge_agent.sync.machine`; here its steps are made requests, and the answers are
taken in: into the inventory (which knows the new state before the watch tells it) and as outcomes. A
Kubernetes API that is away raises `Transient` out of the pass: outcomes so far are kept, nothing counts as
failed, and the next pass goes on.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from edge_agent.applications.apply import apply, validate
from edge_agent.applications.facts import facts_of, learn_kinds, look_at_clearing, refusals, waits_for_serving
from edge_agent.applications.hooks import (
    HookSite,
    NotWritten,
    clean_hooks,
    look_at_hooks,
    run_hooks,
    stop_former_hooks,
    write_down,
)
from edge_agent.applications.namespace import ensure_namespace
from edge_agent.applications.outcomes import complete
from edge_agent.applications.prune import prune
from edge_agent.applications.sync_context import SyncContext, each
from edge_agent.sync import (
    Apply,
    Await,
    Clean,
    Fail,
    Finished,
    Prune,
    RunHooks,
    Stage,
    Step,
    Validate,
    next_step,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable


@dataclass(frozen=True, slots=True)
class Waiting:
    """The sync goes on when something changes, or after `within_s`; `soon`: shortly, since nothing tells when
    an API begins to be served, or a disk has room again.
    """

    reason: str
    soon: bool
    within_s: float | None = None


async def operate(context: SyncContext) -> Waiting | Finished:
    """Go on until the sync is over or must wait. Raises `Transient`."""
    state, around = context.state, context.around
    left = await stop_former_hooks(state, around)
    if left:
        return Waiting(f"waits for the end of {left[0]}, a hook of the sync before", soon=False)
    await _prepare_namespace(context)
    while True:
        if context.running.cut:
            return Waiting(context.running.cut, soon=False)
        await learn_kinds(context)
        await look_at_hooks(state, around)
        await look_at_clearing(context)
        step = next_step(facts_of(context))
        try:
            await _carry_out(step, context)
        except NotWritten as error:
            return Waiting(f"waits: no hook runs that can't be written down: {error}", soon=True)
        if isinstance(step, Await):
            return Waiting(step.reason, waits_for_serving(step.keys, context), step.within_s)
        if isinstance(step, Finished):
            complete(step, context)
            return step


async def _prepare_namespace(context: SyncContext) -> None:
    if not any(refusals(context)):
        await ensure_namespace(context)


async def _carry_out(step: Step, context: SyncContext) -> None:
    app = context.state.app
    match step:
        case Validate(entries, hooks):
            await each([*entries, *hooks], partial(validate, context=context), f"validate for {app}")
        case Apply(entries, stage):
            await _change(stage, context, each(entries, partial(apply, context=context), f"apply for {app}"))
        case RunHooks(hooks, stage):
            await _change(stage, context, run_hooks(hooks, await _site(context)))
        case Prune(going, stage):
            await _change(stage, context, each(going, partial(prune, context=context), f"prune for {app}"))
        case Clean(hooks):
            await clean_hooks(hooks, await _site(context))
        case Fail(message):
            context.progress.hooks.failure = message
            await write_down(context.state, context.around)


async def _change(stage: Stage, context: SyncContext, doing: Awaitable[object]) -> None:
    """Change something; the next stage is held back for a while, so that controllers take in what changed."""
    running = context.running
    running.touched, running.stage = True, stage
    try:
        await doing
    finally:
        running.pause_until_s = asyncio.get_running_loop().time() + context.around.settings.wave_delay_s


async def _site(context: SyncContext) -> HookSite:
    return HookSite(context.state, context.around, await context.bundle.hook_manifests(), context.options)
