"""What somebody may ask of an application. Plain data; what becomes of it is decided elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from edge_agent.cluster import Key

Strategy = Literal["", "hook", "apply"]
"""`apply`: objects only, no hooks; `hook` and the empty one: both, as always."""


class RequestRefused(Exception):
    """What was asked for can't be done; the message is a sentence for the person who asked."""


@dataclass(frozen=True, slots=True)
class Selector:
    """Objects that a request is about; an empty namespace means any."""

    group: str
    kind: str
    name: str
    namespace: str = ""

    def selects(self, key: Key) -> bool:
        """Say whether an object is meant."""
        return (key.group, key.kind, key.name) == (self.group, self.kind, self.name) and (
            self.namespace in ("", key.namespace)
        )


@dataclass(frozen=True, slots=True)
class Sync:
    """Somebody asks for a sync. It survives a restart of the agent until it is done; a newer one replaces it.

    `resources` empty: everything. `id` is given back in nothing; it only tells two requests apart.
    """

    id: str
    prune: bool = False
    dry_run: bool = False
    resources: tuple[Selector, ...] = ()
    initiated_by: str = ""
    revision: str = ""
    """What `digest` is a rendering of, for people."""
    digest: bytes = b""
    """The bundle to sync instead of the desired one; it is obtained where it isn't held."""
    options: tuple[str, ...] | None = None
    """Sync options in place of the application's, as Argo CD takes them; None: the application's."""
    strategy: Strategy = ""
    retry_limit: int | None = None
    """Retries after the first attempt; below 0: for ever. None: what the application's own `retry` says."""


@dataclass(frozen=True, slots=True)
class Terminate:
    """Somebody asks to end the sync under way, or the retries of one that failed."""

    initiated_by: str = ""


@dataclass(frozen=True, slots=True)
class Rollback:
    """Somebody asks for what a history entry says was synced then. `history_id` None: the one before the last."""

    id: str
    history_id: int | None = None
    prune: bool = False
    dry_run: bool = False
    initiated_by: str = ""


@dataclass(frozen=True, slots=True)
class Refresh:
    """Somebody asks to look again; `hard`: at every object, whatever was found before."""

    hard: bool = False


@dataclass(frozen=True, slots=True)
class Approve:
    """Somebody confirms deletions that wait for that (`Prune=confirm`, `Delete=confirm`); `resources`
    empty: all that wait.
    """

    initiated_by: str = ""
    resources: tuple[Selector, ...] = ()


Operation = Sync | Terminate | Rollback | Refresh | Approve
