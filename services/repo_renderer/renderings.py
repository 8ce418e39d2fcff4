"""From what was prepared to its rendering record: archive first, then the sandbox; an error leaves the last good state.

A rendering is named by what goes into it (content that the sources read, their parameters, the release for charts). Once made
it is kept for good: a chart that rolls dice would otherwise be another bundle for the whole fleet at each look.
"""

import asyncio
import time
from dataclasses import replace

import structlog

from outrider.bus import NotFound
from outrider.records import ArchiveRecord, RenderingRecord
from outrider.rendering.making import Maker
from outrider.rendering.prepare import Failed, Prepared
from outrider.rendering.wanted import Wanted
from repo_renderer.bundles import Bundles, small_patch
from repo_renderer.records import Records
from repo_renderer.store import Archive

log = structlog.get_logger()


class Renderings:
    """Makes and stores renderings."""

    def __init__(
        self,
        records: Records,
        archive: Archive,
        bundles: Bundles,
        maker: Maker,
    ) -> None:
        self.records, self._archive = records, archive
        self._bundles, self._maker = bundles, maker
        self._busy: dict[str, asyncio.Lock] = {}

    def is_current(self, wanted: Wanted, prepared: Prepared) -> bool:
        """Whether nothing is to be done for what was prepared."""
        known = self.records.get(wanted.key)
        asked = (known.needs_release, known.needs_application)
        needs = (prepared.needs_release, prepared.needs_application)
        return known.fingerprint == prepared.fingerprint and not known.error and asked == needs

    async def bring(self, wanted: Wanted, prepared: Prepared, since: int) -> None:
        """Bring a record to what was prepared. What goes wrong in rendering becomes part of the record, never an exception.

        `since`: its revision before the look. WrongRevision: another renderer has written it; look again.
        """
        if prepared.needs_release or prepared.needs_application:
            record = RenderingRecord(
                fingerprint=prepared.fingerprint,
                needs_release=prepared.needs_release,
                needs_application=prepared.needs_application,
            )
            await self.records.put(wanted.key, record, since)
            return
        try:
            archived = await self.rendered(wanted, prepared)
        except Failed as error:
            await self.fail(wanted.key, str(error), prepared.revision, since)
            return
        await self._succeed(wanted.key, archived, prepared, since)

    async def fail(self, key: str, error: str, revision: str, since: int) -> None:
        """Note an error; the last good rendering stays in the record. WrongRevision as in `bring`."""
        known = self.records.get(key)
        if (known.error, known.error_revision) != (error, revision):
            failed = replace(known, error=error, error_revision=revision, changed_at_ms=_now_ms())
            await self.records.put(key, failed, since)

    async def rendered(self, wanted: Wanted, prepared: Prepared) -> ArchiveRecord:
        """Return the bundle of what was prepared, made now or before; Failed says why there is none."""
        # Sources that come to the same rendering wait for the first of them.
        lock = self._busy.setdefault(prepared.identity, asyncio.Lock())
        try:
            async with lock:
                try:
                    return ArchiveRecord.unpack((await self._archive.get(prepared.identity)).value)
                except NotFound:
                    return await self._made(wanted, prepared)
        finally:
            if not lock.locked():
                self._busy.pop(prepared.identity, None)

    async def _made(self, wanted: Wanted, prepared: Prepared) -> ArchiveRecord:
        started = time.monotonic()
        made = await self._maker.make(wanted, prepared)
        try:
            digest = await self._bundles.put(made.manifests)
        except ValueError as error:
            raise Failed(f"bundle: {error}") from error
        archived = ArchiveRecord(digest, len(made.manifests), made.warnings)
        await self._archive.put(prepared.identity, archived.pack())
        log.info(
            "rendered",
            source=wanted.key,
            revision=prepared.revision,
            objects=archived.objects,
            seconds=round(time.monotonic() - started, 3),
        )
        return archived

    async def _succeed(self, key: str, archived: ArchiveRecord, prepared: Prepared, since: int) -> None:
        known = self.records.get(key)
        base, patch = known.base, known.patch
        if known.digest != archived.digest:
            base, patch = await small_patch(self._bundles, archived.digest, known.digest)
        record = RenderingRecord(
            revision=prepared.revision,
            digest=archived.digest,
            base=base,
            patch=patch,
            objects=archived.objects,
            changed_at_ms=_now_ms(),
            fingerprint=prepared.fingerprint,
            warnings=archived.warnings,
        )
        if replace(record, changed_at_ms=known.changed_at_ms) != known:
            await self.records.put(key, record, since)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
