"""The records of renderings, as their bucket has them at this moment.

Several renderers may serve a pool. A record is written only while it is as it was before the look began that calls for it, so one
that looked before a commit never writes over what another one found after it.
"""

import asyncio

import structlog

from outrider.codec import MalformedMessage
from outrider.records import RenderingRecord
from repo_renderer.store import Written

log = structlog.get_logger()

_NONE = RenderingRecord()


class Records:
    """What is known of bucket `renderings`."""

    def __init__(self, bucket: Written) -> None:
        self._bucket = bucket
        self._records: dict[str, RenderingRecord] = {}
        self._revisions: dict[str, int] = {}
        # of the bucket's entries, those of records that are gone included

    async def follow(self, caught_up: asyncio.Event) -> None:
        """Take in what this process and others write, for ever."""
        async for changes in self._bucket.watch():
            for change in changes.changes:
                self._take(change.key, change.revision, _unpacked(change.key, change.value))
            if changes.caught_up:
                caught_up.set()

    def get(self, key: str) -> RenderingRecord:
        """Return the record of a rendering; an empty one if there is none."""
        return self._records.get(key, _NONE)

    def revision(self, key: str) -> int:
        """Return what a later `put` may expect: the record as it is known at this moment."""
        return self._revisions.get(key, 0)

    async def put(self, key: str, record: RenderingRecord, since: int) -> None:
        """Write a record that is still at revision `since`; WrongRevision: another renderer has written it, look again.

        Known only once it is stored: a write that failed must be made again.
        """
        self._take(key, await self._bucket.replace(key, record.pack(), since), record)

    async def drop(self, key: str) -> None:
        """Forget the record of a source that nobody wants any more."""
        if key in self._records:
            await self._bucket.delete(key)

    def _take(self, key: str, revision: int, record: RenderingRecord | None) -> None:
        if revision <= self.revision(key):
            return
        self._revisions[key] = revision
        if record is None:
            self._records.pop(key, None)
        else:
            self._records[key] = record


def _unpacked(key: str, value: bytes | None) -> RenderingRecord | None:
    if value is None:
        return None
    try:
        return RenderingRecord.unpack(value)
    except MalformedMessage as error:
        log.warning("rendering record ignored", key=key, reason=str(error))
        return None
