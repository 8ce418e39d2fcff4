"""Bucket `status` in the view: read from the bucket, or, while this process writes it, shown as soon as it is stored.

To read back each document that was just written costs more than to fold it. So for a term of its lease a process does not read: what it
writes is shown once the bucket has it. Afterwards it reads on from the last write that it knows of, and comes by what another wrote
meanwhile, and what of its own was stored without its learning so.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from sys import intern

from outrider import subjects
from outrider.bus.buckets import Change, KeyValue
from outrider.bus.jetstream import JetStream
from outrider.codec import MalformedMessage
from outrider.names import ClusterName, from_token
from outrider.records import EdgeRecord, StatusRecord
from outrider.topology import STATUSES
from status_aggregator import frames
from status_aggregator.document import of_cluster, reported
from status_aggregator.hub_clock import Moment
from status_aggregator.records import Key
from status_aggregator.rejections import Rejections
from status_aggregator.rows import Seen
from status_aggregator.shape import Listed
from status_aggregator.view import View

TURN = 64
# Records taken before other tasks get a turn.


class Showing:
    """The loop, and what the writer tells it."""

    def __init__(
        self,
        js: JetStream,
        view: View,
        rejections: Rejections,
        now: Callable[[], Moment],
        on_caught_up: Callable[[], None],
    ) -> None:
        self._bucket, self._view, self._rejections = KeyValue(js, STATUSES), view, rejections
        self._now, self._on_caught_up = now, on_caught_up
        self._is_live = False
        self._revision = 0
        # up to which the view has what the bucket holds
        self._moved, self._begun, self._ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def run(self) -> None:
        """Read until cancelled, but while this process writes."""
        while True:
            async with asyncio.TaskGroup() as tasks:
                reading = tasks.create_task(self._read(), name="read bucket status")
                await self._begun.wait()
                reading.cancel()
            await self._ended.wait()

    async def reached(self, revision: int) -> None:
        """Wait until the view has what the bucket held at a revision."""
        while self._revision < revision:
            self._moved.clear()
            await self._moved.wait()

    @asynccontextmanager
    async def written_here(self) -> AsyncIterator[None]:
        """Nobody but this process writes, for the block: it tells what it has stored."""
        self._ended.clear()
        self._begun.set()
        try:
            yield
        finally:
            self._begun.clear()
            self._ended.set()

    def stored(self, revision: int) -> None:
        """All that this process wrote up to a revision is in the bucket, and was shown."""
        self._revision = max(self._revision, revision)

    def document(self, key: Key, record: StatusRecord | None, state: Listed | None) -> None:
        """Show a document; `state` is what the record's document says, where that is known. No record: it is gone."""
        if key.app == subjects.CLUSTER:
            self._view.put_about(key.cluster, _about(record) if record is not None else b"")
        else:
            self._view.put_seen(key.cluster, intern(from_token(key.app)), _seen(record, state))

    def edge(self, cluster: ClusterName, record: EdgeRecord | None) -> None:
        """Show what is known of a cluster. No record: it is not registered any more."""
        self._view.put_edge(cluster, record, self._now(), is_live=self._is_live)

    async def _read(self) -> None:
        watching = self._bucket.watch(after_revision=self._revision)
        async with aclosing(watching):  # type: ignore[type-var]
            async for changes in watching:
                for number, change in enumerate(changes.changes):
                    self._taken(change)
                    if number % TURN == TURN - 1:
                        await asyncio.sleep(0)
                if changes.changes:
                    self._revision = changes.changes[-1].revision
                    self._moved.set()
                if changes.caught_up and not self._is_live:
                    self._is_live = True
                    self._on_caught_up()

    def _taken(self, change: Change) -> None:
        key = Key.parse(change.key)
        try:
            if key is not None and key.app:
                record = StatusRecord.unpack(change.value) if change.value is not None else None
                self.document(key, record, None)
            elif key is not None:
                self.edge(key.cluster, EdgeRecord.unpack(change.value) if change.value is not None else None)
        except MalformedMessage as error:
            # One record that can't be read must not hide the others.
            self._rejections.add(f"record in {STATUSES.name}", reason=f"{change.key}: {error}")


def _seen(record: StatusRecord | None, state: Listed | None) -> Seen | None:
    if record is None:
        return None
    if state is None:
        return Seen.of(record)
    return Seen(reported(state), record.observed_at_ms, record.received_at_ms)


def _about(record: StatusRecord) -> bytes:
    packed = frames.document_of(record)
    of_cluster(packed)
    return packed
