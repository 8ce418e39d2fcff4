"""Hooks made requests: created once, judged by their health, deleted as their policy says.

Each creation is written down before and after: an agent that ends in between finds its own object by name and
mark. Where nothing can be written down no hook is begun, since the next life could not tell that it was.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from edge_agent.applications.keeping import keep
from edge_agent.applications.sight import is_followed
from edge_agent.applications.sync_context import each
from edge_agent.cluster import (
    AlreadyExists,
    ClusterError,
    Conflict,
    Key,
    NotFound,
    Object,
    Transient,
    UnknownKind,
)
from edge_agent.sync import Hook, Run, options, tracked_to
from edge_agent.sync.hooks import BEFORE_CREATION, mark_of, marked
from outrider.manifests.tracking import tracked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edge_agent.applications.ledger import Ledger
    from edge_agent.applications.state import State
    from edge_agent.applications.surroundings import Surroundings


class NotWritten(Exception):
    """The replica can't be written to."""


@dataclass(frozen=True, slots=True)
class HookSite:
    """What running hooks needs: of a sync, or of a removal."""

    state: State
    around: Surroundings
    manifests: Mapping[str, Object]
    """By hook id, tracked."""
    options: options.Options

    @property
    def ledger(self) -> Ledger:
        """The hooks that were begun."""
        if self.state.progress is None:
            raise RuntimeError(f"the progress of {self.state.app} was not read")
        return self.state.progress.hooks


async def run_hooks(hooks: Iterable[Hook], site: HookSite) -> None:
    """Begin hooks, at the same time. Raises `Transient` and `NotWritten`."""
    ledger, hooks = site.ledger, list(hooks)
    for hook in hooks:
        ledger.runs[hook.id] = Run(hook.key_in(ledger.sync), hook.kind, "Creating")
    await write_down(site.state, site.around)
    try:
        await each(hooks, partial(_begin, site=site), f"hooks for {site.state.app}")
    except Transient:
        await keep(site.state, site.around)
        raise
    await keep(site.state, site.around)


async def write_down(state: State, around: Surroundings) -> None:
    """Have the progress on disk, or raise `NotWritten`."""
    await keep(state, around)
    if "StorageError" in state.errors:
        raise NotWritten(state.errors["StorageError"])


async def look_at_hooks(state: State, around: Surroundings) -> None:
    """Take in how the hooks that run stand."""
    runs = state.progress.hooks.runs if state.progress else {}
    for hook, run in runs.items():
        if run.over or run.state == "Creating":
            continue
        await _look(run, around)
        if run.state == "Running":
            runs[hook] = _judged(run, around)


async def clean_hooks(hooks: Iterable[Hook], site: HookSite) -> None:
    """Delete the objects of hooks that have ended. Raises `Transient`."""
    await each(hooks, partial(_clean, site=site), f"clean hooks for {site.state.app}")


async def stop_former_hooks(state: State, around: Surroundings) -> list[Key]:
    """Delete what still runs of a sync that was given up; return what is not gone yet. Raises `Transient`."""
    ledger = state.progress.hooks if state.progress else None
    if ledger is None or not ledger.stale:
        return []
    left = []
    for run in ledger.stale:
        if await _is_gone(run, state, around):
            continue
        left.append(run)
    ledger.stale = left
    return [run.key for run in left]


async def _begin(hook: Hook, site: HookSite) -> None:
    ledger, cluster = site.ledger, site.around.cluster
    run = ledger.runs[hook.id]
    mark = hook.mark_in(ledger.sync)
    manifest = tracked(marked(site.manifests[hook.id], run.key, mark), site.state.app, run.key)
    strict = options.enabled("Validate", hook.options, site.options, default=True)
    try:
        try:
            live = (await cluster.create(hook.kind, run.key, manifest, strict=strict)).object
        except AlreadyExists:
            found = await _take_or_clear(hook, run, manifest, mark, site)
            if found is None:
                return
            live = found
        live = await site.around.as_watched(live)
    except Transient:
        raise
    except ClusterError as error:
        ledger.runs[hook.id] = replace(run, state="Failed", message=error.why)
        return
    begun = replace(run, state="Running", uid=str(live["metadata"]["uid"]))
    ledger.runs[hook.id] = begun.judged(site.around.inventory.observe(live).outcome)


async def _take_or_clear(hook: Hook, run: Run, manifest: Object, mark: str, site: HookSite) -> Object | None:
    """Return the hook's own object, if an earlier life of the agent created it; else delete what has its name,
    or apply the hook over it.
    """
    cluster = site.around.cluster
    try:
        live = await cluster.get(hook.kind, run.key)
    except NotFound as error:
        raise Conflict(str(run.key), "is gone again by now") from error
    if mark_of(live) == mark:
        return live
    if BEFORE_CREATION in hook.policies and tracked_to(live) == site.state.app:
        uid = str(live["metadata"]["uid"])
        site.ledger.runs[hook.id] = replace(run, state="Clearing", uid=uid)
        site.around.inventory.observe(await site.around.as_watched(live))
        with contextlib.suppress(NotFound):
            await cluster.delete(hook.kind, run.key, uid=uid, propagation="Foreground")
        return None
    return (await cluster.apply(hook.kind, run.key, manifest)).object


async def _look(run: Run, around: Surroundings) -> None:
    """Ask for an object whose changes nobody tells."""
    if is_followed(run.key, around):
        return
    try:
        around.inventory.observe(await around.as_watched(await around.cluster.get(run.kind, run.key)))
    except (NotFound, UnknownKind):
        live = around.inventory.get(run.key)
        around.inventory.lose(run.key, live.resource_version if live else "")


def _judged(run: Run, around: Surroundings) -> Run:
    live = around.inventory.get(run.key)
    if live is not None and live.uid == run.uid:
        return run.judged(live.outcome)
    seen, outcome = around.inventory.ended(run.uid)
    judged = run.judged(outcome) if seen else run
    if judged.over:
        return judged
    return replace(run, state="Failed", message="was deleted before it was seen to end")


async def _clean(hook: Hook, site: HookSite) -> None:
    run = site.ledger.runs[hook.id]
    message = run.message
    if run.uid:
        try:
            await site.around.cluster.delete(run.kind, run.key, uid=run.uid, propagation="Foreground")
        except (NotFound, UnknownKind, Conflict):
            # It is gone, or another one has its name.
            pass
        except Transient:
            raise
        except ClusterError as error:
            message = f"{message} (can't be deleted: {error.why})".lstrip()
    site.ledger.runs[hook.id] = replace(run, cleaned=True, message=message)


async def _is_gone(run: Run, state: State, around: Surroundings) -> bool:
    """Delete a hook that runs still; say whether it is no more."""
    await _look(run, around)
    live = around.inventory.get(run.key)
    if live is None or not live.hook or live.tracked != state.app or run.uid not in ("", live.uid):
        return True
    if not live.deleting:
        with contextlib.suppress(NotFound, Conflict):
            await around.cluster.delete(run.kind, run.key, uid=live.uid, propagation="Foreground")
    return False
