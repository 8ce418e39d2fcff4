"""Hooks of an application's end: PreDelete before anything goes, PostDelete after.

They come from the progress store, since the bundle may be gone. One that fails blocks the removal, visibly, and
is tried again, later and later: its object is deleted and created anew.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from edge_agent.applications.hooks import (
    HookSite,
    NotWritten,
    clean_hooks,
    look_at_hooks,
    run_hooks,
    stop_former_hooks,
)
from edge_agent.applications.progress import Attempt
from edge_agent.applications.sight import is_followed
from edge_agent.cluster import Conflict, NotFound
from edge_agent.sync.hooks import BEFORE_CREATION, SUCCEEDED, Hook, restored

if TYPE_CHECKING:
    from edge_agent.applications.state import State
    from edge_agent.applications.surroundings import Surroundings
    from edge_agent.sync import Run
    from outrider.manifests.phases import Phase

_DEFAULT = frozenset({BEFORE_CREATION})


async def run_delete_hooks(phase: Phase, state: State, around: Surroundings) -> str | None:
    """Carry the hooks of a phase on, wave by wave; return what stands in the way, empty where it only takes
    time, None when all have succeeded. Raises `Transient`.
    """
    site = _site(state, around)
    hooks = sorted((hook for hook in _hooks(site) if hook.phase == phase), key=lambda hook: hook.place)
    if hooks and await stop_former_hooks(state, around):
        return ""
    for _, members in groupby(hooks, key=lambda hook: hook.wave):
        wave = list(members)
        try:
            trouble = await _run_wave(wave, site)
        except NotWritten as error:
            return f"no hook runs that can't be written down: {error}"
        if trouble is not None:
            return trouble
    return None


async def clean_delete_hooks(state: State, around: Surroundings) -> str | None:
    """Delete the hooks that have done their work; return None when they are gone, else an empty text."""
    site = _site(state, around)
    runs = site.ledger.runs
    done = [
        hook
        for hook in _hooks(site)
        if (SUCCEEDED in hook.policies or hook.policies == _DEFAULT) and hook.id in runs
    ]
    await clean_hooks([hook for hook in done if not runs[hook.id].cleaned], site)
    left = [hook for hook in done if _is_there(runs[hook.id], around)]
    return "" if left else None


async def _run_wave(hooks: list[Hook], site: HookSite) -> str | None:
    ledger = site.ledger
    await look_at_hooks(site.state, site.around)
    begin = [hook for hook in hooks if _is_to_begin(ledger.runs.get(hook.id), site.around)]
    if begin:
        await run_hooks(begin, site)
    failed = [hook for hook in hooks if ledger.runs[hook.id].state == "Failed"]
    if failed:
        return await _again(failed, site)
    if all(ledger.runs[hook.id].over for hook in hooks):
        return None
    return ""


def _is_to_begin(run: Run | None, around: Surroundings) -> bool:
    return run is None or run.state == "Creating" or (run.state == "Clearing" and not _is_there(run, around))


async def _again(failed: list[Hook], site: HookSite) -> str:
    """Say which hooks failed; when it is time, delete them for another attempt."""
    state, ledger, now_s = site.state, site.ledger, asyncio.get_running_loop().time()
    progress = state.progress
    said = "; ".join(
        f"{hook.phase} hook {ledger.runs[hook.id].key} failed: {ledger.runs[hook.id].message}"
        for hook in failed
    )
    if progress is None or progress.attempt.identity != f"{ledger.sync} failed":
        _wait(1, site)
        return said
    if now_s < state.retry_at_s:
        return said
    for hook in failed:
        run = ledger.runs[hook.id]
        ledger.runs[hook.id] = replace(run, state="Clearing")
        with contextlib.suppress(NotFound, Conflict):
            await site.around.cluster.delete(run.kind, run.key, uid=run.uid, propagation="Foreground")
    _wait(progress.attempt.failures + 1, site)
    return said


def _wait(failures: int, site: HookSite) -> None:
    state, around = site.state, site.around
    if state.progress is not None:
        state.progress.attempt = Attempt(f"{site.ledger.sync} failed", "Failed", failures)
    delay_s = state.policy.backoff.delay_s(failures - 1, around.chance)
    state.retry_at_s = asyncio.get_running_loop().time() + delay_s


def _is_there(run: Run, around: Surroundings) -> bool:
    live = around.inventory.get(run.key)
    return live is not None and live.uid == run.uid and is_followed(run.key, around)


def _hooks(site: HookSite) -> list[Hook]:
    return [restored(hook, manifest) for hook, manifest in site.manifests.items()]


def _site(state: State, around: Surroundings) -> HookSite:
    if state.progress is None:
        raise RuntimeError(f"the progress of {state.app} was not read")
    return HookSite(state, around, state.progress.delete_hooks, state.policy.options)
