"""What a sync does next, given what is so. Pure: the whole order of a sync is decided here, no request is
made.

The steps, over and over until one of them is `Finished` or `Await`:

1. Something is refused before anything is asked (no such hook yet, an object of another application):
   Finished, nothing touched.
2. `Validate`: a dry run of whatever would be applied. One refusal and the sync is over, nothing touched. What
   can't be judged yet, because its namespace or its definition comes with this very sync, is judged as soon
   as that is there, before the next apply.
3. `Apply`: wave by wave, within a wave kind by kind; the objects of one kind at the same time. One failure
   ends the sync after its group.
4. `Await`: an object waits for what it needs to be ready; the next wave waits until this one's objects are in
   sync and healthy. Degraded there fails the sync. The last wave is not waited for.
5. `Prune`: last wave and last kind first. Nothing is pruned before everything is applied.

The state is what is true on the cluster plus the outcomes so far: called again after a crash, with no
outcomes, it goes on where the cluster stands, since what was applied is in sync.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from edge_agent.health import DEGRADED, HEALTHY, Health
from edge_agent.sync import order

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

    from edge_agent.cluster.names import Key, Kind
    from edge_agent.sync.prepare import Entry
    from edge_agent.sync.results import Result


@dataclass(frozen=True, slots=True)
class Doomed:
    """A live object that is this application's and that the desired set no longer has."""

    key: Key
    kind: Kind
    uid: str
    resource_version: str
    wave: int
    kept: str = ""
    """Why it stays nevertheless; empty: it goes."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is so at this moment, for one sync."""

    entries: tuple[Entry, ...]
    """The objects that the sync is about, in order."""
    to_apply: AbstractSet[Key]
    doomed: tuple[Doomed, ...]
    done: Mapping[Key, Result]
    valid: AbstractSet[Key]
    ready: Callable[[Key], bool]
    """Whether an object that others need can be used."""
    health: Callable[[Key], Health | None]
    refused: tuple[Result, ...] = ()


@dataclass(frozen=True, slots=True)
class Validate:
    """Dry-run these."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Apply:
    """Apply these, at the same time."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Prune:
    """Delete these, at the same time."""

    doomed: tuple[Doomed, ...]


@dataclass(frozen=True, slots=True)
class Await:
    """Nothing to do until one of these changes."""

    keys: tuple[Key, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The sync is over."""

    succeeded: bool
    message: str


Step = Validate | Apply | Prune | Await | Finished


def next_step(facts: Facts) -> Step:
    """Return what to do next."""
    failed = [*facts.refused, *(result for result in facts.done.values() if result.failed)]
    if failed:
        return Finished(False, _failure(failed))
    pending = [
        entry for entry in facts.entries if entry.key in facts.to_apply and entry.key not in facts.done
    ]
    unjudged = tuple(entry for entry in pending if entry.key not in facts.valid and _usable(entry, facts))
    if unjudged:
        return Validate(unjudged)
    for wave, members in groupby(facts.entries, key=lambda entry: entry.wave):
        step = _within(wave, tuple(members), pending, facts)
        if step:
            return step
    return _prune(facts) or Finished(True, "successfully synced")


def _within(wave: int, members: tuple[Entry, ...], pending: list[Entry], facts: Facts) -> Step | None:
    """Return what one wave still has to do; None when the next may come."""
    mine = [entry for entry in pending if entry.wave == wave]
    if mine:
        first = order.rank(mine[0].key.kind)
        group = [entry for entry in mine if order.rank(entry.key.kind) == first]
        usable = tuple(entry for entry in group if _usable(entry, facts))
        return Apply(usable) if usable else _await_needs(group, facts)
    if all(entry.wave <= wave for entry in pending):
        return None
    return _await_health(wave, members, facts)


def _await_needs(group: list[Entry], facts: Facts) -> Step:
    needed = tuple(dict.fromkeys(key for entry in group for key in entry.needs if not facts.ready(key)))
    for key in needed:
        health = facts.health(key)
        if health and health.status == DEGRADED:
            return Finished(False, f"{key} is needed and is Degraded: {health.message}")
    return Await(needed, f"waits for {', '.join(map(str, needed))}")


def _await_health(wave: int, members: tuple[Entry, ...], facts: Facts) -> Step | None:
    waits = []
    for entry in members:
        health = facts.health(entry.key)
        status = (health.counts_as or health.status) if health else HEALTHY
        if status == DEGRADED:
            return Finished(
                False, f"{entry.key} of wave {wave} is Degraded: {health.message if health else ''}"
            )
        if status != HEALTHY:
            waits.append(entry.key)
    if not waits:
        return None
    return Await(
        tuple(waits),
        f"wave {wave} waits for {waits[0]}" + (f" and {len(waits) - 1} more" if waits[1:] else ""),
    )


def _prune(facts: Facts) -> Step | None:
    """The last wave and the last kind go first."""
    waiting = [doomed for doomed in facts.doomed if doomed.key not in facts.done]
    if not waiting:
        return None
    last = max(_undo(doomed) for doomed in waiting)
    return Prune(tuple(doomed for doomed in waiting if _undo(doomed) == last))


def _undo(doomed: Doomed) -> tuple[int, int]:
    return doomed.wave, order.rank(doomed.key.kind)


def _usable(entry: Entry, facts: Facts) -> bool:
    return all(facts.ready(key) for key in entry.needs)


def _failure(failed: list[Result]) -> str:
    first = failed[0]
    named = f"{first.key.kind} {first.key.name}: {first.message}"
    return named if len(failed) == 1 else f"{named} (and {len(failed) - 1} more objects failed)"
