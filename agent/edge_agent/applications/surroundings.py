"""What every application shares: the cluster, what is known of it, and the way out for status."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from edge_agent.applications.site_settings import ClusterSettings
from edge_agent.cluster import key_of, kind_of
from edge_agent.diff import Expressions
from edge_agent.hold.holds import Holds, nothing_held

if TYPE_CHECKING:
    import random

    from edge_agent.applications.inventory import Inventory
    from edge_agent.applications.leftovers import Leftovers
    from edge_agent.applications.model import Generation, ProgressStore, Settings
    from edge_agent.applications.watches import Watches
    from edge_agent.cluster import Cluster, Key, Object

Clock = Callable[[], datetime]


async def no_link(digest: bytes) -> None:
    """Obtain no bundle: this agent has no way to."""
    raise LookupError(f"bundle {digest.hex()[:12]} is not held here, and this agent has no hub to ask for it")


def no_bundles(digest: str) -> list[Object]:
    """Hold no bundle but the desired ones."""
    raise KeyError(digest)


def nobody(app: str) -> None:
    """Tell nobody."""


@dataclass(slots=True, eq=False)
class Surroundings:
    """Given to every application; made once."""

    cluster: Cluster
    inventory: Inventory
    watches: Watches
    store: ProgressStore
    settings: Settings
    clock: Clock
    chance: random.Random
    on_status: Callable[[str, dict[str, Any]], None]
    on_removed: Callable[[str, Generation], None]
    desired_elsewhere: Callable[[Key, str], bool]
    """Whether an application other than the named one wants an object."""
    leftovers: Leftovers
    obtain: Callable[[bytes], Awaitable[None]] = no_link
    """Have a bundle, by its digest, held; raises `LookupError` or `TimeoutError` with a sentence."""
    manifests_of: Callable[[str], list[Object]] = no_bundles
    """Load a bundle that is held, by its short digest; raises `KeyError`. May block: call it in a thread."""
    site: ClusterSettings = field(default_factory=ClusterSettings)
    """Replaced as a whole by `Applications.configure`."""
    holds: Holds = field(default_factory=nothing_held)
    """What the site holds back."""
    on_passed: Callable[[str], None] = nobody
    """Told an application after each of its passes, and when its requests are written down."""
    expressions: Expressions = field(default_factory=Expressions)
    """Evaluates jq; `Applications.run` runs it."""
    loading: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        """Bound the bundles in memory."""
        self.loading = asyncio.Semaphore(self.settings.loaded_bundles)

    async def as_watched(self, live: Object) -> Object:
        """Return an object in the version in which its kind is watched: only in that can it be compared
        with what the watch tells.
        """
        kind, key = kind_of(live), key_of(live)
        watched = self.watches.get((key.group, key.kind))
        if watched is None or watched.kind == kind:
            return live
        return await self.cluster.get(watched.kind, key)

    def now(self) -> str:
        """Return the time as documents have it: RFC 3339, UTC, seconds."""
        return self.clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def sync_id(self) -> str:
        """Return a name that no other sync has: hooks carry it."""
        drawn = f"{self.clock().isoformat()}/{self.chance.getrandbits(64)}"
        return hashlib.sha256(drawn.encode()).hexdigest()[:12]

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn to hold a bundle in memory; not for ever, so that an application that hangs
        stops no other.
        """
        taken = False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.settings.load_wait_s):
                taken = await self.loading.acquire()
        try:
            yield
        finally:
            if taken:
                self.loading.release()
