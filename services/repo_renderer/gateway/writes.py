"""What a pool's renderer has stored: rendering records of its own sources, and its own part of the archive."""

import time
from collections.abc import Callable
from dataclasses import replace

from outrider.bus import NotFound
from outrider.bus.services import RequestRefused
from outrider.codec import MalformedMessage
from outrider.names import PoolName
from outrider.pool_messages import ArchiveAnswer, ArchiveRead, ArchiveWrite, RecordWrite, Stored
from outrider.records import RenderingRecord
from repo_renderer.bundles import small_patch
from repo_renderer.gateway import checks
from repo_renderer.gateway.budget import Budget, Spent
from repo_renderer.gateway.stores import Stores
from repo_renderer.gateway.tables import Row, Table

ENTRY_BYTES = 256
# What an entry of a bucket costs beside its value, roughly.


class Writes:
    """What one pool writes."""

    def __init__(
        self,
        pool: PoolName,
        sources: Table,
        renderings: Table,
        stores: Stores,
        budget: Budget,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool, self._sources, self._renderings = pool, sources, renderings
        self._stores, self._budget, self._clock = stores, budget, clock

    async def record(self, request: RecordWrite) -> Stored:
        """Store a rendering record. WrongRevision: it was written since it was read."""
        if request.key not in self._sources:
            raise RequestRefused("the source is none of this pool's (any more)")
        record = checks.rendering(request.value)
        known = self._known(request.key)
        base, patch = known.base, known.patch
        if record.digest != known.digest:
            await self._check_bundle(record.digest)
            # Made here: an edge must find that it leads to the bundle.
            base, patch = await small_patch(self._stores.bundles, record.digest, known.digest)
        stored = replace(record, base=base, patch=patch, changed_at_ms=time.time_ns() // 1_000_000).pack()
        revision = await self._stores.renderings.replace(request.key, stored, request.since)
        self._renderings.put(request.key, Row(revision, stored))
        return Stored(revision)

    def _known(self, key: str) -> RenderingRecord:
        row = self._renderings.get(key)
        try:
            return RenderingRecord.unpack(row.value) if row is not None else RenderingRecord()
        except MalformedMessage:
            # Written by another version.
            return RenderingRecord()

    async def _check_bundle(self, digest: bytes) -> None:
        if digest and not await self._stores.objects.has(digest.hex()):
            raise RequestRefused(f"bundle {digest.hex()} is not at the hub")

    async def archived(self, request: ArchiveRead) -> ArchiveAnswer:
        """Return what this pool has rendered before."""
        try:
            return ArchiveAnswer((await self._stores.archive.get(self._archive_key(request.key))).value)
        except NotFound:
            return ArchiveAnswer()

    async def archive(self, request: ArchiveWrite) -> Stored:
        """Keep what a rendering came to."""
        key, record = self._archive_key(request.key), checks.archived(request.value)
        await self._check_bundle(record.digest)
        value = record.pack()
        try:
            self._budget.spend(len(key) + len(value) + ENTRY_BYTES, self._clock())
        except Spent as error:
            raise RequestRefused(str(error)) from error
        return Stored(await self._stores.archive.put(key, value))

    def _archive_key(self, identity: str) -> str:
        """Return the key of a rendering: what one pool says that it comes to counts for that pool alone."""
        return f"{self._pool}.{checks.identity(identity)}"
