"""What goes into and comes out of the agent's Kubernetes side: plain data, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from edge_agent.applications.requests import (
    Approve,
    Operation,
    Refresh,
    RequestRefused,
    Rollback,
    Selector,
    Sync,
    Terminate,
)
from edge_agent.applications.site_settings import ClusterSettings
from outrider.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from edge_agent.cluster import Object

__all__ = [
    "Approve",
    "BundleLost",
    "ClusterSettings",
    "Desired",
    "Generation",
    "MemoryProgress",
    "Operation",
    "ProgressStore",
    "Refresh",
    "Removal",
    "RequestRefused",
    "Rollback",
    "Selector",
    "Settings",
    "Sync",
    "Terminate",
]

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
    is_rendered_here: bool = False
    """Whether the agent renders it: then the hub knows its state by the generation, not by the revision."""
    conditions: tuple[tuple[str, str], ...] = ()
    """Type and message of what there is to say of its rendering."""


@dataclass(frozen=True, slots=True)
class Removal:
    """The end of an application; `cascade`: its objects go with it."""

    app: str
    uid: str
    cascade: bool
    generation: Generation
    propagation: str = "foreground"
    """What becomes of the children of its objects: `foreground`, `background` or `orphan`."""


class BundleLost(LookupError):
    """A bundle that is desired is not held any more: its bytes were damaged."""

    def __init__(self) -> None:
        super().__init__(
            "the bundle was damaged in the replica: what runs is left as it is until it is fetched again"
        )


class ProgressStore(Protocol):
    """Small values per application that survive the agent: JSON values, replaced as a whole, atomically; and
    which bundles an application still needs beside the desired one.
    """

    async def get(self, app: str) -> dict[str, Any] | None:
        """Return what was put last."""

    async def put(
        self,
        app: str,
        value: dict[str, Any],
        bundles: Collection[str] = (),
        core: Mapping[str, Any] | None = None,
    ) -> None:
        """Keep this, and the bundles with these digests. On return `core`, which counts before `value` where it
        has a name too, is on disk (None: all of it is); the rest may come later. Raises `OSError` when it can't be.
        """

    async def delete(self, app: str) -> None:
        """Drop it; nothing happens where there is none."""


class MemoryProgress:
    """A progress store that lasts as long as the process."""

    def __init__(self) -> None:
        self.values: dict[str, dict[str, Any]] = {}
        self.bundles: dict[str, Collection[str]] = {}

    async def get(self, app: str) -> dict[str, Any] | None:
        """Return what was put last."""
        return self.values.get(app)

    async def put(
        self,
        app: str,
        value: dict[str, Any],
        bundles: Collection[str] = (),
        core: Mapping[str, Any] | None = None,
    ) -> None:
        """Keep this."""
        self.values[app], self.bundles[app] = {**value, **(core or {})}, bundles

    async def delete(self, app: str) -> None:
        """Drop it."""
        self.values.pop(app, None)
        self.bundles.pop(app, None)


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
    # Between the waves of a sync, once one has changed something: a controller needs a moment to say of a custom
    # resource that it is not healthy any more. Built-in kinds say so at once (`observedGeneration`). Argo CD: 2.
    wave_delay_s: float = 0.5
    # One sync may take this long, waits for health included, before it counts as failed; 0: as long as it takes,
    # which is Argo CD's default too. Annotation `outrider.dev/sync-timeout` sets it for one application.
    sync_timeout_s: float = 0.0
    # The site's clock may be set while an application waits for a sync window: it looks again after this long.
    clock_check_s: float = 3600.0
    # A bundle that somebody wants synced in place of the desired one comes within this long, or not at all.
    obtain_s: float = 120.0
