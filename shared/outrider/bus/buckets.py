"""Key-value buckets: get, put, create, replace, delete, watch (ADR-8). Keys are subject tokens joined by dots."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from outrider.bus.errors import NotFound
from outrider.bus.follow import follow
from outrider.bus.jetstream import JetStream, Stored
from outrider.topology import Bucket

_EXPECTED = "Nats-Expected-Last-Subject-Sequence"
_OPERATION = "KV-Operation"


class Entry(NamedTuple):
    """A value and the revision that a later write may expect."""

    key: str
    value: bytes
    revision: int


class Change(NamedTuple):
    """A key's newest value; None when it was deleted."""

    key: str
    value: bytes | None
    revision: int


class Changes(NamedTuple):
    """Changes that arrived together; `caught_up`: all that the bucket held at the start has been handed out."""

    changes: list[Change]
    caught_up: bool


class KeyValue:
    """One bucket. It must exist (`bus.topology`)."""

    def __init__(self, js: JetStream, bucket: Bucket) -> None:
        self._js = js
        self._bucket = bucket
        self._prefix = f"$KV.{bucket.name}."

    async def get(self, key: str) -> Entry:
        """Return the newest value; NotFound if there is none."""
        stored = await self._js.last(self._bucket.stream, self._prefix + key)
        change = self._change(stored)
        if change.value is None:
            raise NotFound(f"{self._bucket.name}: no key {key}")
        return Entry(key, change.value, change.revision)

    async def put(self, key: str, value: bytes) -> int:
        """Store a value; return its revision. On disk when this returns."""
        return await self._js.publish(self._prefix + key, value)

    async def replace(self, key: str, value: bytes, revision: int) -> int:
        """Store a value if the key is still at `revision` (0: never written); WrongRevision otherwise."""
        return await self._js.publish(self._prefix + key, value, {_EXPECTED: str(revision)})

    async def delete(self, key: str, revision: int | None = None) -> None:
        """Delete a key, if it is still at `revision` where one is given; WrongRevision otherwise. Idempotent without one.

        A marker stays, so that watchers learn of it.
        """
        expected = {} if revision is None else {_EXPECTED: str(revision)}
        await self._js.publish(self._prefix + key, b"", {_OPERATION: "DEL", **expected})

    async def watch(self, keys: str = ">", *, after_revision: int = 0) -> AsyncIterator[Changes]:
        """Yield the newest value of every key that was written after a revision, then every change, for ever."""
        stream, subject = self._bucket.stream, self._prefix + keys
        async for batch in follow(self._js, stream, subject, after_seq=after_revision, last_per_subject=True):
            yield Changes([self._change(stored) for stored in batch.messages], batch.caught_up)

    def _change(self, stored: Stored) -> Change:
        gone = stored.headers.get(_OPERATION) in ("DEL", "PURGE")
        return Change(stored.subject.removeprefix(self._prefix), None if gone else stored.data, stored.seq)
