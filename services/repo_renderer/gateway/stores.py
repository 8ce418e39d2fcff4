"""The hub's stores, as the gateway writes them for all pools."""

import asyncio
from dataclasses import dataclass, field

from outrider.bus import Connection
from outrider.bus.buckets import KeyValue
from outrider.bus.jetstream import JetStream
from outrider.bus.objects import Objects
from outrider.topology import ARCHIVE, BUNDLES, POOL_PRESENCE, RENDERINGS
from repo_renderer.bundles import Bundles
from repo_renderer.gateway.budget import Budget


@dataclass(frozen=True)
class Stores:
    """Buckets, and the object store in both of its forms."""

    renderings: KeyValue
    archive: KeyValue
    presence: KeyValue
    objects: Objects
    bundles: Bundles
    pool_bytes_per_day: int
    # that one pool may add
    budgets: dict[str, Budget] = field(default_factory=dict)
    # of pools by name, for as long as this process lives: being removed and added again gives nothing back
    checking: asyncio.Lock = field(default_factory=asyncio.Lock)
    # held while a bundle is looked through, of all pools: it takes as much memory as the bundle has

    @classmethod
    def of(cls, connection: Connection, bundles: Bundles, pool_bytes_per_day: int) -> "Stores":
        """Return the stores of a hub."""
        js = JetStream(connection)
        return cls(
            KeyValue(js, RENDERINGS),
            KeyValue(js, ARCHIVE),
            KeyValue(js, POOL_PRESENCE),
            Objects(connection, BUNDLES),
            bundles,
            pool_bytes_per_day,
        )

    def budget(self, pool: str, now_s: float) -> Budget:
        """Return what a pool has left to add."""
        return self.budgets.setdefault(pool, Budget(self.pool_bytes_per_day, now_s))
