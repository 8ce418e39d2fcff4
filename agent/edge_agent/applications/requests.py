"""What somebody may ask of an application. Plain data; what becomes of it is decided elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_agent.cluster import Key

SHORT_DIGEST_BYTES = 8
# `outrider.delta.short`.

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
    """The bundle to sync instead of the desired one; it is obtained where it isn't held. A short digest: one
    that must be held.
    """
    options: tuple[str, ...] | None = None
    """Sync options in place of the application's, as Argo CD takes them; None: the application's."""
    strategy: Strategy = ""
    retry_limit: int | None = None
    """Retries after the first attempt; below 0: for ever. None: what the application's own `retry` says."""
    despite_hold: bool = False
    """Whether it goes through a hold: somebody at the hub calls it urgent, or somebody on the site knows of the hold."""

    @property
    def short_digest(self) -> str:
        """The bundle's digest as records and documents have it; empty: the desired one."""
        return self.digest[:SHORT_DIGEST_BYTES].hex()

    @property
    def who(self) -> str:
        """Who asked."""
        return self.initiated_by or "unknown"

    def value(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "id": self.id,
            "prune": self.prune,
            "dry_run": self.dry_run,
            "resources": selector_values(self.resources),
            "initiated_by": self.initiated_by,
            "revision": self.revision,
            "digest": self.digest.hex(),
            "options": None if self.options is None else list(self.options),
            "strategy": self.strategy,
            "retry_limit": self.retry_limit,
            "despite_hold": self.despite_hold,
        }

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Sync:
        """Read it; raises `KeyError`, `TypeError` or `ValueError` for what it is not."""
        return cls(
            id=value["id"],
            prune=value["prune"],
            dry_run=value["dry_run"],
            resources=selectors_of(value["resources"]),
            initiated_by=value["initiated_by"],
            revision=value.get("revision", ""),
            digest=bytes.fromhex(value.get("digest", "")),
            options=None if value.get("options") is None else tuple(value["options"]),
            strategy=value.get("strategy", ""),
            retry_limit=value.get("retry_limit"),
            despite_hold=value.get("despite_hold", False),
        )


@dataclass(frozen=True, slots=True)
class Terminate:
    """Somebody asks to end the sync under way, or the retries of one that failed."""

    initiated_by: str = ""


@dataclass(frozen=True, slots=True)
class Rollback:
    """Somebody asks for what a history entry says was synced then. `history_id` None: the one before the last.

    `despite_hold`: although the application is held, and as long as it is, though it syncs by itself.
    """

    id: str
    history_id: int | None = None
    prune: bool = False
    dry_run: bool = False
    initiated_by: str = ""
    despite_hold: bool = False


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


def selector_values(selectors: tuple[Selector, ...]) -> list[list[str]]:
    """Return selectors as JSON values."""
    return [[one.group, one.kind, one.name, one.namespace] for one in selectors]


def selectors_of(values: Sequence[Sequence[str]]) -> tuple[Selector, ...]:
    """Read them; raises `TypeError` for what they are not."""
    return tuple(Selector(*parts) for parts in values)
