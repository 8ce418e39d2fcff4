"""From a source at a commit to its rendering record: archive first, then the sandbox; an error leaves the last good state.

A rendering is named by what goes into it (content that the source reads, its parameters, the release for charts). Once made
it is kept for good: a chart that rolls dice would otherwise be another bundle for the whole fleet at each look.
"""

import asyncio
import time
from dataclasses import dataclass, replace

import structlog

from outrider import delta
from outrider.bus import NotFound
from outrider.bus.buckets import KeyValue
from outrider.codec import MalformedMessage
from outrider.records import ArchiveRecord, RenderingRecord
from outrider.rendering.errors import RenderError
from outrider.rendering.git.fingerprint import Fingerprint
from outrider.rendering.git.store import GitStore
from outrider.rendering.identity import RenderContext, release
from outrider.rendering.identity import digest as identity_digest
from outrider.rendering.pool import RenderPool
from outrider.spec.source import SourceKind
from repo_renderer.bundles import Bundles
from repo_renderer.catalogue import Wanted

log = structlog.get_logger()

NO_RELEASE = RenderContext("unnamed")
# For everything but charts: it doesn't enter the rendering.
PATCH_MAX_BYTES = 4096
# Larger patches are fetched by those edges that need them, instead of travelling inside every record.


@dataclass(frozen=True)
class At:
    """A commit of a repository, and what a source reads there."""

    commit: str
    fingerprint: Fingerprint


class Renderings:
    """Makes and stores renderings; knows the record of each source."""

    def __init__(
        self, records: KeyValue, archive: KeyValue, bundles: Bundles, store: GitStore, pool: RenderPool
    ) -> None:
        self._bucket, self._archive = records, archive
        self._bundles, self._store, self._pool = bundles, store, pool
        self._records: dict[str, RenderingRecord] = {}
        self._busy: dict[str, asyncio.Lock] = {}

    async def follow(self, caught_up: asyncio.Event) -> None:
        """Take in the records that were written before, by this process or another, for ever."""
        async for changes in self._bucket.watch():
            for change in changes.changes:
                if change.value is None:
                    self._records.pop(change.key, None)
                    continue
                try:
                    self._records[change.key] = RenderingRecord.unpack(change.value)
                except MalformedMessage as error:
                    log.warning("rendering record ignored", key=change.key, reason=str(error))
            if changes.caught_up:
                caught_up.set()

    def record(self, key: str) -> RenderingRecord:
        """Return the record of a source; an empty one if it was never rendered."""
        return self._records.get(key, RenderingRecord())

    def is_current(self, wanted: Wanted, at: At) -> bool:
        """Whether a source needs nothing at this commit."""
        known = self.record(wanted.key)
        return known.fingerprint == at.fingerprint.digest and not known.error

    async def bring(self, wanted: Wanted, at: At) -> None:
        """Bring a source's record to a commit. A rendering error becomes part of the record, never an exception."""
        if at.fingerprint.kind is SourceKind.HELM and wanted.context is None:
            await self._put(
                wanted.key, RenderingRecord(needs_release=True, fingerprint=at.fingerprint.digest)
            )
            return
        identity = _identity(wanted, at.fingerprint)
        # Sources that come to the same rendering wait for the first of them.
        lock = self._busy.setdefault(identity, asyncio.Lock())
        try:
            async with lock:
                archived = await self._rendered(identity, wanted, at)
        except RenderError as error:
            await self.fail(wanted.key, str(error), at.commit)
            return
        finally:
            if not lock.locked():
                self._busy.pop(identity, None)
        await self._succeed(wanted.key, archived, at)

    async def fail(self, key: str, error: str, revision: str) -> None:
        """Note an error; the last good rendering stays in the record."""
        known = self.record(key)
        if (known.error, known.error_revision) != (error, revision):
            await self._put(
                key, replace(known, error=error, error_revision=revision, changed_at_ms=_now_ms())
            )

    async def drop(self, key: str) -> None:
        """Forget the record of a source that nobody wants any more."""
        if key in self._records:
            await self._bucket.delete(key)

    async def _rendered(self, identity: str, wanted: Wanted, at: At) -> ArchiveRecord:
        try:
            return ArchiveRecord.unpack((await self._archive.get(identity)).value)
        except NotFound:
            pass
        started = time.monotonic()
        async with self._store.export(wanted.repo_url, at.commit, wanted.source) as export:
            rendering = await self._pool.render(export, wanted.source, wanted.context or NO_RELEASE)
        try:
            digest = await self._bundles.put(rendering.manifests)
        except ValueError as error:
            raise RenderError("bundle", str(error)) from error
        archived = ArchiveRecord(digest, len(rendering.manifests))
        await self._archive.put(identity, archived.pack())
        seconds = round(time.monotonic() - started, 3)
        log.info(
            "rendered",
            source=wanted.key,
            revision=at.commit,
            objects=len(rendering.manifests),
            seconds=seconds,
        )
        return archived

    async def _succeed(self, key: str, archived: ArchiveRecord, at: At) -> None:
        known = self.record(key)
        base, patch = known.base, known.patch
        if known.digest != archived.digest:
            base, patch = await self._patch(archived.digest, known.digest)
        record = RenderingRecord(
            revision=at.commit,
            digest=archived.digest,
            base=base,
            patch=patch,
            objects=archived.objects,
            changed_at_ms=_now_ms(),
            fingerprint=at.fingerprint.digest,
        )
        if replace(record, changed_at_ms=known.changed_at_ms) != known:
            await self._put(key, record)

    async def _patch(self, digest: bytes, before: bytes) -> tuple[bytes | None, bytes | None]:
        patch = await self._bundles.patch(digest, before) if before else None
        if patch is None or len(patch) > PATCH_MAX_BYTES:
            return None, None
        return delta.short(before), patch

    async def _put(self, key: str, record: RenderingRecord) -> None:
        self._records[key] = record
        await self._bucket.put(key, record.pack())


def _identity(wanted: Wanted, fingerprint: Fingerprint) -> str:
    """Return the archive key: all that enters the rendering, wherever it lies."""
    parts: list[object] = [fingerprint.kind.value, fingerprint.digest]
    if fingerprint.kind is SourceKind.HELM and wanted.context is not None:
        parts.append(release(wanted.source, wanted.context))
    return identity_digest(parts)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
