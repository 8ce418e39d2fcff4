"""One entry of the journal, and what makes one routine."""

from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal[
    "sync-started",
    "sync-succeeded",
    "sync-failed",
    "health",
    "drift",
    "in-sync",
    "condition",
    "added",
    "rendered",
    "removed",
    "outage-began",
    "outage-ended",
    "agent-started",
    "replica-rebuilt",
    "hold-began",
    "hold-ended",
    "gap",
]

ROUTINE: frozenset[str] = frozenset({"rendered", "sync-started", "drift", "in-sync"})
# Thinned first: what they tell is told by what follows them, or happens again and again where two fight over an object.


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened. `seq` grows by one an entry and is never used twice in one epoch.

    A `gap` stands for entries that were thinned: from its own seq up to and with `detail["to"]`, `detail["counts"]` by kind,
    the last of them at `detail["until_ms"]`.
    """

    seq: int
    at_ms: int
    # Unix time by the edge's clock
    app: str
    # empty: the cluster as a whole
    kind: str
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def is_routine(self) -> bool:
        """Whether it is thinned before others; so is a transition to anything but Degraded."""
        if self.kind == "health":
            return self.detail.get("to") not in ("Degraded", "Missing", "Unknown")
        return self.kind in ROUTINE

    @property
    def last_seq(self) -> int:
        """The last sequence number that it stands for."""
        return int(self.detail["to"]) if self.kind == "gap" else self.seq

    def value(self) -> list[Any]:
        """Return it as it travels."""
        return [self.seq, self.at_ms, self.app, self.kind, self.detail]
