"""Many writes to one stream: in atomic batches where the stream takes them, else one by one with many in flight.

A batch (ADR-50) is stored as one, with one wait for the disk: that is ten times as fast as single writes, and all or nothing. A batch
that a stream refuses (it does not take them, or knows one of its messages already, by id) is written one by one, in order.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog

from outrider.bus import BusError
from outrider.bus.jetstream import IN_FLIGHT_MAX, JetStream, Refused
from outrider.bus.model import Outgoing
from outrider.topology import Bucket

log = structlog.get_logger()

BATCH_MAX = 1_000
# The server's limit.
BATCH_MAX_BYTES = 8 << 20
# The server holds a batch in memory until it is complete.
_DISABLED = 10174
# "atomic publish is disabled"
_NO_HEADERS: dict[str, str] = {}


class Put(NamedTuple):
    """One message to store."""

    subject: str
    data: bytes
    headers: dict[str, str] = _NO_HEADERS


def put(bucket: Bucket, key: str, value: bytes) -> Put:
    """Return the message that sets a key of a bucket (ADR-8)."""
    return Put(f"$KV.{bucket.name}.{key}", value)


def delete(bucket: Bucket, key: str) -> Put:
    """Return the message that deletes a key of a bucket; a marker stays, so that watchers learn of it."""
    return Put(f"$KV.{bucket.name}.{key}", b"", {"KV-Operation": "DEL"})


@dataclass
class Bulk:
    """Writes to one stream."""

    js: JetStream
    takes_batches: bool = field(default=True)
    # until the stream says otherwise

    async def write(self, messages: list[Put]) -> int:
        """Store all, in order; return the last one's sequence. BusError: all must be written again, some may be stored."""
        last = 0
        for batch in _batches(messages):
            if len(batch) > 1 and self.takes_batches:
                try:
                    last = await self._batch(batch)
                    continue
                except Refused as error:
                    self.takes_batches = error.err_code != _DISABLED
                    log.debug("batch refused, writing one by one", reason=str(error))
            last = await all_written(self.js.publish(one.subject, one.data, one.headers) for one in batch)
        return last

    async def _batch(self, messages: list[Put]) -> int:
        batch_id = self.js.connection.unique_name()
        await self.js.connection.publish_all(
            Outgoing(message.subject, message.data, {**message.headers, **_place(batch_id, number)})
            for number, message in enumerate(messages[:-1], 1)
        )
        last = messages[-1]
        headers = {**last.headers, **_place(batch_id, len(messages)), "Nats-Batch-Commit": "1"}
        return await self.js.publish(last.subject, last.data, headers)


def _place(batch_id: str, number: int) -> dict[str, str]:
    return {"Nats-Batch-Id": batch_id, "Nats-Batch-Sequence": str(number)}


def _batches(messages: list[Put]) -> Iterator[list[Put]]:
    batch: list[Put] = []
    size_bytes = 0
    for message in messages:
        if batch and (len(batch) == BATCH_MAX or size_bytes + len(message.data) > BATCH_MAX_BYTES):
            yield batch
            batch, size_bytes = [], 0
        batch.append(message)
        size_bytes += len(message.data)
    if batch:
        yield batch


async def all_written(writes: Iterable[Awaitable[int]]) -> int:
    """Await all, begun in their order, many in flight; return the highest sequence. The first BusError when one failed."""
    waiting, failed, highest = iter(writes), list[BusError](), 0

    async def work() -> None:
        nonlocal highest
        for write in waiting:
            try:
                highest = max(await write, highest)
            except BusError as error:
                failed.append(error)

    async with asyncio.TaskGroup() as tasks:
        for number in range(IN_FLIGHT_MAX):
            tasks.create_task(work(), name=f"write {number}")
    if failed:
        raise failed[0]
    return highest
