"""What a sync is decided by, and the steps that it can take. Plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from outrider.manifests import phases

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

    from edge_agent.cluster.names import Key, Kind
    from edge_agent.health import Health
    from edge_agent.sync.hooks import Hook, Run
    from edge_agent.sync.prepare import Entry
    from edge_agent.sync.results import Result

Stage = tuple[int, int]
"""A phase's place and a wave: what is in one stage is done before anything of the next."""


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
    confirm: bool = False
    """Whether it goes only once somebody confirmed that."""
    going: bool = False
    """Whether it is being deleted already."""
    last: bool = False
    """Whether it goes after everything else of the sync (`PruneLast`)."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is so at this moment, for one sync."""

    entries: tuple[Entry, ...]
    """The objects that the sync is about, in order."""
    to_apply: AbstractSet[Key]
    doomed: tuple[Doomed, ...]
    """What goes, and what went already in this sync."""
    done: Mapping[Key, Result]
    valid: AbstractSet[Key]
    ready: Callable[[Key], bool]
    """Whether an object that others need can be used."""
    health: Callable[[Key], Health | None]
    present: Callable[[Key], bool]
    """Whether an object is on the cluster."""
    refused: tuple[Result, ...] = ()
    hooks: tuple[Hook, ...] = ()
    """The hooks that the sync runs, in order."""
    runs: Mapping[str, Run] = field(default_factory=dict)
    """By hook id; a hook without one has not begun."""
    valid_hooks: AbstractSet[str] = frozenset()
    touched: bool = False
    """Whether the sync has changed anything yet."""
    failure: str = ""
    """Why the sync has failed, once that is written down: what is left is to wind up."""
    clearing: AbstractSet[Key] = frozenset()
    """Objects that are being deleted, to be made again."""
    stage: Stage | None = None
    """In which stage something was changed last."""
    pause_s: float = 0.0
    """How long the next stage is to be held back still."""


@dataclass(frozen=True, slots=True)
class Validate:
    """Dry-run these."""

    entries: tuple[Entry, ...]
    hooks: tuple[Hook, ...] = ()


@dataclass(frozen=True, slots=True)
class Apply:
    """Apply these, at the same time."""

    entries: tuple[Entry, ...]
    stage: Stage


@dataclass(frozen=True, slots=True)
class RunHooks:
    """Create these, at the same time, or delete what is in their way."""

    hooks: tuple[Hook, ...]
    stage: Stage


@dataclass(frozen=True, slots=True)
class Prune:
    """Delete these, at the same time."""

    doomed: tuple[Doomed, ...]
    stage: Stage


@dataclass(frozen=True, slots=True)
class Fail:
    """The sync has failed: write that down; what is left is to wind up."""

    message: str


@dataclass(frozen=True, slots=True)
class Clean:
    """Delete the objects of these hooks, as their delete policies say."""

    hooks: tuple[Hook, ...]


@dataclass(frozen=True, slots=True)
class Await:
    """Nothing to do until one of these changes, or until a time has passed."""

    keys: tuple[Key, ...]
    reason: str
    within_s: float | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """The sync is over."""

    succeeded: bool
    message: str


Step = Validate | Apply | RunHooks | Prune | Fail | Clean | Await | Finished


def stage_of(thing: Entry | Hook) -> Stage:
    """Return the stage of an object or hook."""
    return phases.place(thing.phase), thing.wave


def prune_stages(doomed: tuple[Doomed, ...], entries: tuple[Entry, ...]) -> dict[Key, Stage]:
    """Return when each object is pruned: in phase Sync, the last wave's objects in the first wave that has any
    and so on, as Argo CD swaps them; with `PruneLast` in a wave of its own behind all others.
    """
    waves = sorted({found.wave for found in doomed})
    swapped = dict(zip(waves, reversed(waves), strict=True))
    last = max([0, *(entry.wave for entry in entries), *waves]) + 1
    sync = phases.place(phases.SYNC)
    return {found.key: (sync, last if found.last else swapped[found.wave]) for found in doomed}
