"""What was deployed before: the last syncs of everything that succeeded, newest last. A rollback goes back to one
of them; the replica keeps their bundles, so it works offline. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Deployed:
    """One sync of everything. Times are RFC 3339, UTC."""

    id: int
    revision: str
    """Of several sources: theirs, with commas."""
    digest: str
    """The bundle's, short."""
    started_at: str
    deployed_at: str
    initiated_by: str = ""
    """Empty: automated."""

    def document(self) -> dict[str, Any]:
        """Return it as `history[]` has it."""
        found: dict[str, Any] = {"id": self.id, "revision": self.revision}
        if "," in self.revision:
            found["revisions"] = self.revision.split(",")
        return found | {
            "deployStartedAt": self.started_at,
            "deployedAt": self.deployed_at,
            "initiatedBy": initiator(self.initiated_by),
            "digest": self.digest,
        }

    def value(self) -> list[Any]:
        """Return it as JSON values."""
        return [self.id, self.revision, self.digest, self.started_at, self.deployed_at, self.initiated_by]

    @classmethod
    def of(cls, value: list[Any]) -> Deployed:
        """Read it; raises `TypeError` or `ValueError` for what it is not."""
        number, *texts = value
        return cls(int(number), *map(str, texts))


History = tuple[Deployed, ...]


def extended(history: History, made: Mapping[str, str], limit: int) -> History:
    """Return the history with one more entry; `made` has its fields but the id."""
    entry = Deployed(id=history[-1].id + 1 if history else 0, **made)
    return trimmed((*history, entry), limit)


def trimmed(history: History, limit: int) -> History:
    """Return the newest entries."""
    return history[-limit:] if limit else ()


def entry_of(history: History, history_id: int | None) -> Deployed | None:
    """Return an entry; without an id, the one before the last."""
    if history_id is None:
        return history[-2] if len(history) > 1 else None
    return next((entry for entry in history if entry.id == history_id), None)


def initiator(name: str, *, automated: bool | None = None) -> dict[str, Any]:
    """Return who began a sync, as Argo CD's documents have it; no name: nobody did."""
    by_itself = not name if automated is None else automated
    return {"automated": True} if by_itself else {"username": name}
