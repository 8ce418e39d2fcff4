"""One application as the agent holds it between two passes: inputs, what was found out, what is being
done. No manifests.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge_agent.sync import Doomed, Entry, Hook, Policy, Problem, Result, Stage
from edge_agent.sync.windows import OPEN, Gate, Window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.applications.model import Desired, Removal, Sync
    from edge_agent.applications.progress import Progress
    from edge_agent.cluster import Key, Kind
    from edge_agent.diff import Verdict


@dataclass(frozen=True, slots=True)
class Index:
    """What is remembered of a bundle prepared for this application: of each object its identity and
    digest.
    """

    identity: str
    entries: Mapping[Key, Entry]
    problems: tuple[Problem, ...]
    repeated: tuple[Key, ...]
    unserved: frozenset[Kind]
    """Kinds that the cluster didn't serve when the bundle was prepared."""
    hooks: tuple[Hook, ...] = ()
    """In order."""

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds in use that can be asked for."""
        used = {entry.kind for entry in self.entries.values()} | {hook.kind for hook in self.hooks}
        return frozenset(used) - self.unserved


@dataclass(slots=True, eq=False)
class Running:
    """A sync that is under way, over several passes when it must wait. Lost in a crash: what it did is
    then found in sync.
    """

    identity: str
    request: Sync | None
    only: frozenset[Key] | None
    prune: bool
    dry_run: bool
    started_at: str
    done: dict[Key, Result] = field(default_factory=dict)
    valid: set[Key] = field(default_factory=set)
    valid_hooks: set[str] = field(default_factory=set)
    """Ids of hooks that the server would take."""
    doomed: dict[Key, Doomed] = field(default_factory=dict)
    """What the sync prunes or has pruned: waves are turned round once, over all of it."""
    touched: bool = False
    """Whether anything was changed, or tried to be."""
    stage: Stage | None = None
    """In which stage anything was changed last."""
    pause_until_s: float = 0.0
    """Until when the next stage is held back, by the event loop's clock."""
    to_take_over: set[Key] = field(default_factory=set)
    """Objects of which former managers hold fields."""
    clearing: dict[Key, str] = field(default_factory=dict)
    """Objects that are being deleted to be made again, with the uid that goes."""
    hook_results: list[Result] = field(default_factory=list)
    """What became of the hooks, at the end."""
    revision: str = ""
    digest: str = ""
    deadline_s: float | None = None
    """When it has taken too long, by the event loop's clock; None: it may take as long as it takes."""
    left_s: float | None = None
    """How long it may still take, while it is paused."""
    cut: str = ""
    """Why it is to give way at its next step; the next pass decides what becomes of it."""
    asked: int = 0
    """How often in a row it was asked for something that was not ready."""


@dataclass(slots=True, eq=False)
class State:
    """One application."""

    app: str
    desired: Desired | None = None
    """What the pass under way, or the last one, is about; newer ones wait for the next."""
    removal: Removal | None = None
    policy: Policy = field(default_factory=Policy)
    index: Index | None = None
    other: Index | None = None
    """Of the bundle that somebody asked for in place of the desired one."""
    progress: Progress | None = None
    """None until it was read."""
    gate: Gate = OPEN
    """What the sync windows allow, as far as it was found out."""
    gate_of: tuple[tuple[Window, ...], str] = ((), "")
    """The windows, and the site's time zone, that that is about."""
    verdicts: dict[Key, Verdict] = field(default_factory=dict)
    absent: dict[Key, bytes] = field(default_factory=dict)
    """Objects looked for and not found, with the digest of the desired one they were looked for."""
    unseen: dict[Key, str] = field(default_factory=dict)
    """Objects that can't be looked at, and why."""
    running: Running | None = None
    errors: dict[str, str] = field(default_factory=dict)
    """Standing faults by condition type."""
    healed: dict[Key, tuple[float, float]] = field(default_factory=dict)
    """Objects healed lately: tokens left, and as of when."""
    retry_at_s: float = 0.0
    searching: bool = False
    """Whether it is not known yet which kinds hold objects of it."""
    compare_options: frozenset[str] = frozenset()
    """What the verdicts were found with (`edge_agent.diff.compare_options`)."""
    hard: bool = False
    """Whether the next pass looks at every object anew."""
    document: dict[str, Any] | None = None
    written: bytes = b""
    """Digest of the progress that the store holds."""
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)


def set_error(state: State, kind: str, message: str) -> None:
    """Set a standing fault, or clear it."""
    if message:
        state.errors[kind] = message
    else:
        state.errors.pop(kind, None)
