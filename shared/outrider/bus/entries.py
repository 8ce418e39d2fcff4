"""Entries of a bucket with the revision that a compare-and-set expects, whether the key was ever written, or deleted since."""

from typing import NamedTuple

from outrider.bus.errors import NotFound
from outrider.bus.jetstream import JetStream, Stored
from outrider.topology import Bucket

_OPERATION = "KV-Operation"
_BATCH = 256


class Current(NamedTuple):
    """A key's newest entry. `value` None: there is none, or it was deleted; `revision` 0: never written."""

    value: bytes | None
    revision: int


async def current(js: JetStream, bucket: Bucket, key: str) -> Current:
    """Return a key's newest entry."""
    try:
        stored = await js.last(bucket.stream, f"$KV.{bucket.name}.{key}")
    except NotFound:
        return Current(None, 0)
    return _current(stored)


async def all_current(js: JetStream, bucket: Bucket, keys: str) -> dict[str, bytes]:
    """Return what a bucket holds at this moment below `keys` (a pattern): for the few keys that nobody follows."""
    prefix, seq = f"$KV.{bucket.name}.", 1
    found: dict[str, Current] = {}
    while batch := await js.following(bucket.stream, prefix + keys, seq, _BATCH):
        found |= {stored.subject.removeprefix(prefix): _current(stored) for stored in batch}
        seq = batch[-1].seq + 1
    return {key: entry.value for key, entry in found.items() if entry.value is not None}


def _current(stored: Stored) -> Current:
    gone = stored.headers.get(_OPERATION) in ("DEL", "PURGE")
    return Current(None if gone else stored.data, stored.seq)
