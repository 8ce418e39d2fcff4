"""Which hooks a sync has begun: written down before and after each creation, so that none runs twice.

A crash between the two leaves a run that is `Creating`: the second attempt finds the object by its name and its
mark, or creates it. A crash before the first leaves nothing, and there is nothing on the cluster either.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge_agent.cluster import Key, Kind
from edge_agent.sync import Run

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(slots=True)
class Ledger:
    """The hooks of one sync, or of a removal."""

    sync: str = ""
    """Names the sync; hooks carry it. Empty: none has been under way."""
    runs: dict[str, Run] = field(default_factory=dict)
    """By hook id."""
    failure: str = ""
    """Why the sync has failed, from then on."""
    recreated: dict[Key, str] = field(default_factory=dict)
    """Objects that the sync makes again, with the uid of the one that goes; empty where there was none."""
    stale: list[Run] = field(default_factory=list)
    """Hooks of a sync that was given up; they are to be stopped."""

    @property
    def lasts(self) -> bool:
        """Whether there is anything in it that a restart must know."""
        return bool(self.runs or self.failure or self.recreated or self.stale)

    def next(self, sync: str) -> Ledger:
        """Return the ledger of the next sync: what still runs of this one is to be stopped first."""
        return Ledger(sync, stale=[*self.stale, *(run for run in self.runs.values() if not run.over)])

    def value(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "sync": self.sync,
            "runs": {hook: _run_value(run) for hook, run in sorted(self.runs.items())},
            "failure": self.failure,
            "recreated": sorted([list(key), uid] for key, uid in self.recreated.items()),
            "stale": [_run_value(run) for run in self.stale],
        }

    @classmethod
    def of(cls, value: Mapping[str, Any] | None) -> Ledger:
        """Read it; raises `KeyError`, `TypeError` or `ValueError` for what it is not."""
        if value is None:
            return cls()
        return cls(
            sync=str(value["sync"]),
            runs={str(hook): _run(parts) for hook, parts in value["runs"].items()},
            failure=str(value["failure"]),
            recreated={Key(*parts): str(uid) for parts, uid in value["recreated"]},
            stale=[_run(parts) for parts in value["stale"]],
        )


def _run_value(run: Run) -> list[Any]:
    return [list(run.key), list(run.kind), run.state, run.uid, run.message, run.cleaned]


def _run(parts: list[Any]) -> Run:
    key, kind, state, uid, message, cleaned = parts
    return Run(Key(*key), Kind(*kind), state, uid, message, cleaned)
