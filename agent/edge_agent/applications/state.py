"""One application as the agent holds it between two passes: inputs, what was found out, what is being
done. No manifests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge_agent.sync import Entry, Policy, Problem, Result

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

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds in use that can be asked for."""
        return frozenset(entry.kind for entry in self.entries.values()) - self.unserved


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
    progress: Progress | None = None
    """None until it was read."""
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
    hard: bool = False
    """Whether the next pass looks at every object anew."""
    document: dict[str, Any] | None = None
    written: bytes = b""
    """Digest of the progress that the store holds."""


def set_error(state: State, kind: str, message: str) -> None:
    """Set a standing fault, or clear it."""
    if message:
        state.errors[kind] = message
    else:
        state.errors.pop(kind, None)
