"""What a sync does next, given what is so. Pure: the whole order of a sync is decided here, no request is
made.

The steps, over and over until one of them is `Finished` or `Await`:

1. Something is refused before anything is asked (a kind that the project forbids, an object of another
   application): Finished, nothing touched.
2. `Validate`: a dry run of whatever would be applied, hooks of every phase included. One refusal and the sync
   is over, nothing touched. What can't be judged yet, because its namespace or its definition comes with this
   very sync, is judged as soon as that is there, before the next apply.
3. Stage by stage, a stage being a phase and a wave (PreSync, Sync, PostSync; negative waves first), and
   within it: `Prune` first, then `Apply` and `RunHooks`, kind by kind, those of one kind at the same time.
4. `Await`: an object waits for what it needs to be ready. The next stage waits until this one's objects are in
   sync and healthy, its hooks have succeeded and what it pruned is gone, and for a pause. The last stage
   waits for its hooks alone.
5. A failure once something was touched: no more is begun, hooks that run are waited for, then `Fail` has it
   written down, the SyncFail hooks run, and the sync is Finished.
6. `Clean`: hooks whose delete policy names how the sync ended go.

The state is what is true on the cluster, the runs of the hooks, which are written down, and the outcomes so
far: called again after a crash, without outcomes, it goes on where the cluster stands, since what was applied
is in sync, and a hook that was begun has a run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.health import DEGRADED, HEALTHY
from edge_agent.sync import order
from edge_agent.sync.hooks import SUCCEEDED
from edge_agent.sync.steps import (
    Apply,
    Await,
    Finished,
    Prune,
    RunHooks,
    Validate,
    prune_stages,
    stage_of,
)
from edge_agent.sync.winding_up import (
    await_runs,
    clean,
    fail,
    failed_hook,
    failure,
    is_free,
    is_over,
    is_to_create,
    named,
    wind_up,
)
from outrider.manifests import phases

if TYPE_CHECKING:
    from edge_agent.sync.hooks import Hook
    from edge_agent.sync.prepare import Entry
    from edge_agent.sync.steps import Facts, Stage, Step


def next_step(facts: Facts) -> Step:
    """Return what to do next."""
    if facts.failure:
        return wind_up(facts)
    failed = [*facts.refused, *(result for result in facts.done.values() if result.failed)]
    message = failure(failed) if failed else failed_hook(facts)
    if message:
        return fail(message, facts)
    unjudged = _unjudged(facts)
    if unjudged:
        return unjudged
    todo = _Todo(facts)
    for stage in todo.stages():
        step = todo.within(stage)
        if step:
            return step
    return clean(SUCCEEDED, facts) or Finished(True, "successfully synced")


class _Todo:
    """What a sync has still to do, by stage."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._hooks = [hook for hook in facts.hooks if phases.place(hook.phase) <= _LAST]
        self._pending = [
            entry for entry in facts.entries if entry.key in facts.to_apply and entry.key not in facts.done
        ]
        self._prunes = prune_stages(facts.doomed, facts.entries)

    def stages(self) -> list[Stage]:
        """Return every stage, in order."""
        found = {stage_of(entry) for entry in self._facts.entries}
        found |= {stage_of(hook) for hook in self._hooks}
        return sorted(found | set(self._prunes.values()))

    def within(self, stage: Stage) -> Step | None:
        """Return what one stage still has to do; None when the next may come."""
        step = self._prune(stage) or self._do(stage)
        if step:
            held_back = self._facts.pause_s > 0 and self._facts.stage not in (None, stage)
            if held_back and not isinstance(step, Await | Finished):
                return Await((), "pauses between waves", self._facts.pause_s)
            return step
        return self._await_hooks(stage) or (self._settle(stage) if self._is_more_after(stage) else None)

    def _prune(self, stage: Stage) -> Step | None:
        """The last wave and the last kind go first."""
        waiting = [
            found
            for found in self._facts.doomed
            if self._prunes[found.key] == stage
            and not found.going
            and found.key not in self._facts.done
            and self._facts.present(found.key)
        ]
        unconfirmed = [found.key for found in waiting if found.confirm]
        if unconfirmed:
            return Await(tuple(unconfirmed), f"waits for the approval to prune {named(unconfirmed)}")
        if not waiting:
            return None
        last = max(order.rank(found.key.kind) for found in waiting)
        return Prune(tuple(found for found in waiting if order.rank(found.key.kind) == last), stage)

    def _do(self, stage: Stage) -> Step | None:
        """Apply objects and create hooks, of the first kind that has any left."""
        entries = [entry for entry in self._pending if stage_of(entry) == stage]
        hooks = [hook for hook in self._hooks if stage_of(hook) == stage and is_to_create(hook, self._facts)]
        if not entries and not hooks:
            return None
        ranks = [order.rank(entry.key.kind) for entry in entries]
        first = min([*ranks, *(order.rank(hook.key.kind) for hook in hooks)])
        entries = [entry for entry in entries if order.rank(entry.key.kind) == first]
        hooks = [hook for hook in hooks if order.rank(hook.key.kind) == first]
        usable = tuple(
            entry
            for entry in entries
            if _usable(entry, self._facts) and entry.key not in self._facts.clearing
        )
        if usable:
            return Apply(usable, stage)
        begin = tuple(hook for hook in hooks if _usable(hook, self._facts) and is_free(hook, self._facts))
        if begin:
            return RunHooks(begin, stage)
        cleared = [self._facts.runs[hook.id].key for hook in hooks if not is_free(hook, self._facts)]
        cleared += [entry.key for entry in entries if entry.key in self._facts.clearing]
        if cleared:
            return Await(tuple(cleared), f"waits for the deletion of the former {named(cleared)}", LOOK_S)
        return _await_needs([*entries, *hooks], self._facts)

    def _await_hooks(self, stage: Stage) -> Step | None:
        return await_runs([hook for hook in self._hooks if stage_of(hook) == stage], self._facts)

    def _is_more_after(self, stage: Stage) -> bool:
        facts = self._facts
        return (
            any(stage_of(entry) > stage for entry in self._pending)
            or any(stage_of(hook) > stage for hook in self._hooks if not is_over(hook, facts))
            or any(
                when > stage
                for key, when in self._prunes.items()
                if key not in facts.done and facts.present(key)
            )
        )

    def _settle(self, stage: Stage) -> Step | None:
        """Wait until what the stage pruned is gone and what it is about is healthy."""
        phase, wave = stage
        here = [key for key, when in self._prunes.items() if when == stage and self._facts.present(key)]
        if here:
            return Await(tuple(here), f"waits for the deletion of {named(here)}")
        waits = []
        for entry in self._facts.entries:
            if stage_of(entry) != stage:
                continue
            health = self._facts.health(entry.key)
            status = (health.counts_as or health.status) if health else HEALTHY
            if status == DEGRADED:
                message = health.message if health else ""
                return fail(f"{entry.key} of wave {wave} is Degraded: {message}", self._facts)
            if status != HEALTHY:
                waits.append(entry.key)
        before = "" if phase != phases.place(phases.PRE_SYNC) else "PreSync "
        return Await(tuple(waits), f"{before}wave {wave} waits for {named(waits)}") if waits else None


# Between looks at an object that goes and that no watch may tell of. Seconds.
LOOK_S = 1.0
# The last phase of a sync that goes well.
_LAST = phases.place(phases.POST_SYNC)


def _unjudged(facts: Facts) -> Validate | None:
    entries = tuple(
        entry
        for entry in facts.entries
        if entry.key in facts.to_apply
        and entry.key not in facts.done
        and entry.key not in facts.valid
        and _usable(entry, facts)
    )
    hooks = tuple(
        hook
        for hook in facts.hooks
        if hook.id not in facts.runs and hook.id not in facts.valid_hooks and _usable(hook, facts)
    )
    return Validate(entries, hooks) if entries or hooks else None


def _await_needs(group: list[Entry | Hook], facts: Facts) -> Step:
    needed = tuple(dict.fromkeys(key for thing in group for key in thing.needs if not facts.ready(key)))
    for key in needed:
        health = facts.health(key)
        if health and health.status == DEGRADED:
            return fail(f"{key} is needed and is Degraded: {health.message}", facts)
    return Await(needed, f"waits for {', '.join(map(str, needed))}")


def _usable(thing: Entry | Hook, facts: Facts) -> bool:
    return all(facts.ready(key) for key in thing.needs)
