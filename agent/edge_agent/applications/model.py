"""What goes into and comes out of the agent's Kubernetes side: plain data, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from outrider.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge_agent.cluster import Key, Object

Generation = tuple[int, int]
"""Epoch and counter; it only grows."""


@dataclass(frozen=True, slots=True)
class Desired:
    """What one application should be, as the replica holds it.

    `spec` is Argo CD's `Application.spec` without sources. `manifests` loads the bundle and may block; it is
    called in a thread, when a pass needs it, and what it returns is dropped at the end of the pass.
    """

    app: str
    uid: str
    generation: Generation
    revision: str
    digest: str
    spec: Mapping[str, Any]
    manifests: Callable[[], list[Object]]
    annotations: Mapping[str, str] = field(default_factory=dict)
    cascade: bool = False


@dataclass(frozen=True, slots=True)
class Removal:
    """The end of an application; `cascade`: its objects go with it."""

    app: str
    uid: str
    cascade: bool
    generation: Generation


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


@dataclass(frozen=True, slots=True)
class Refresh:
    """Somebody asks to look again; `hard`: at every object, whatever was found before."""

    hard: bool = False


Operation = Sync | Refresh


class ProgressStore(Protocol):
    """Small values per application that survive the agent: JSON values, replaced as a whole, atomically."""

    async def get(self, app: str) -> dict[str, Any] | None:
        """Return what was put last."""

    async def put(self, app: str, value: dict[str, Any]) -> None:
        """Keep this; on return it is on disk. Raises `OSError` when it can't be."""

    async def delete(self, app: str) -> None:
        """Drop it; nothing happens where there is none."""


class MemoryProgress:
    """A progress store that lasts as long as the process."""

    def __init__(self) -> None:
        self.values: dict[str, dict[str, Any]] = {}

    async def get(self, app: str) -> dict[str, Any] | None:
        """Return what was put last."""
        return self.values.get(app)

    async def put(self, app: str, value: dict[str, Any]) -> None:
        """Keep this."""
        self.values[app] = value

    async def delete(self, app: str) -> None:
        """Drop it."""
        self.values.pop(app, None)


_API_RETRY = Backoff(first_s=0.2, cap_s=10.0)
_BUG_RETRY = Backoff(first_s=5.0, cap_s=300.0)


@dataclass(frozen=True, slots=True)
class Settings:
    """How patient and how greedy the applications are. Times in seconds."""

    # Bundles in memory at a time, over all applications. Each costs some 15 KB per object.
    loaded_bundles: int = 4
    # How long an application waits for its turn at most: one that hangs must not stop the others.
    load_wait_s: float = 2.0
    # The Kubernetes API may be away this long before an application says so.
    grace_s: float = 10.0
    # Between looks at a Kubernetes API that is away. No attempt of a sync is counted.
    api_retry: Backoff = _API_RETRY
    # After a fault of the agent's own.
    bug_retry: Backoff = _BUG_RETRY
    # An object that isn't watched (no right to) is looked at again.
    unwatched_s: float = 300.0
    # One object may be healed this often at once, and then this often per second: two that fight over a field
    # don't occupy the cluster.
    heal_burst: int = 200
    heal_per_s: float = 1.0
