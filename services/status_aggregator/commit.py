"""What was folded, written to the bucket: one record for each application that changed, however often it did.

While one commit is on its way the next gathers. The order makes a crash at any point repeat an idempotent step: events first (their ids
tell a repeat), then documents, then how far each edge was folded, then the cursor. After a crash the stream is folded again from
the cursor: a document that was written already has the announced digest, and changes nothing.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from outrider.bus import BusError, NotFound
from outrider.bus.buckets import KeyValue
from outrider.bus.jetstream import JetStream
from outrider.codec import MalformedMessage
from outrider.names import ClusterName
from outrider.records import StatusRecord
from outrider.topology import STATUSES
from status_aggregator import frames
from status_aggregator.bulk import Bulk, Put, delete, put
from status_aggregator.edge import Known
from status_aggregator.events import Event
from status_aggregator.records import Changes, Cursor, EdgeTable, Key
from status_aggregator.shape import Listed
from status_aggregator.showing import Showing
from status_aggregator.words import Gone, Refused, Said, Standing, Word, troubled

log = structlog.get_logger()

AHEAD_MAX = 50_000
# Documents and events that wait for a commit; beyond, folding waits: the stream keeps the rest.
AHEAD_MAX_BYTES = 64 << 20
# Of documents that wait, which are not compressed yet.
STORM = 5_000
# Documents, or events, that wait; beyond, folding gathers until they are on their way. Of events only the newest of each kind and
# application is kept then, and the others are counted.
SLICE = 500
# Put together at a time: some milliseconds in which nobody else gets a turn.
NOTHING = StatusRecord(b"", 0, 0)
NOTHING_SAID = Standing()


@dataclass
class Commit:
    """What is to be written together."""

    cursor: Cursor | None = None
    events: list[Event] = field(default_factory=list)
    documents: dict[Key, Standing] = field(default_factory=dict)
    # what stands of all that was said of each application since the last commit
    edges: dict[ClusterName, Changes] = field(default_factory=dict)
    size_bytes: int = 0
    # of these documents, about
    _thin_at: int = STORM

    def __len__(self) -> int:
        return len(self.events) + len(self.documents)

    @property
    def is_full(self) -> bool:
        """Whether it is all that should wait."""
        return len(self) >= AHEAD_MAX or self.size_bytes >= AHEAD_MAX_BYTES

    @property
    def is_storm(self) -> bool:
        """Whether so much waits that the newest of each application will do."""
        return len(self.events) > STORM or len(self.documents) > STORM

    def said(self, key: Key, said: Said) -> None:
        """Something was said of an application."""
        before = self.documents.get(key)
        if before is None:
            before = NOTHING_SAID
            if type(said) is Word:
                self.size_bytes += said.known.size_bytes
        self.documents[key] = before.then(said)

    def thin(self, *, at_last: bool = False) -> int:
        """Keep the newest event of each kind and application if there are too many; return how many are dropped."""
        before = len(self.events)
        if before > (STORM if at_last else self._thin_at):
            newest = {(event.cluster, event.app, event.name): event for event in self.events}
            self.events = list(newest.values())
            self._thin_at = max(STORM, 2 * len(self.events))
        return before - len(self.events)


class Committer:
    """Writes commits, one after the other."""

    def __init__(
        self,
        js: JetStream,
        bulk: Bulk,
        edges: EdgeTable,
        showing: Showing,
        may_write: Callable[[], bool],
        on_packed: Callable[[Key, Known, bytes], None],
    ) -> None:
        """`on_packed` is given the compressed frame of each document that was written."""
        self._on_packed = on_packed
        self._connection, self._bucket, self._events = js.connection, KeyValue(js, STATUSES), Bulk(js)
        self._bulk, self._edges, self._showing = bulk, edges, showing
        self._may_write = may_write
        self._dirty, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()
        self._taken = asyncio.Event()
        self.pending = Commit()
        self.documents_written = self.events_published = self.events_dropped = 0

    def changed(self) -> None:
        """Tell that `pending` has something to write."""
        self._dirty.set()
        self.events_dropped += self.pending.thin()
        if self.pending.is_full:
            self._room.clear()

    async def room(self) -> None:
        """Wait until more may be folded."""
        await self._room.wait()

    async def taken(self) -> None:
        """Wait until what waits is on its way."""
        self._taken.clear()
        await self._taken.wait()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            commit, self.pending = self.pending, Commit()
            self._room.set()
            self._taken.set()
            self.events_dropped += commit.thin(at_last=True)
            await self._until_written(commit)

    async def _until_written(self, commit: Commit) -> None:
        while True:
            try:
                # Without the lease another may have folded further: an old document must not overwrite its newer one.
                if self._may_write():
                    await self.write(commit)
                    return
            except BusError as error:
                # All of it again: every part may be repeated.
                log.warning(
                    "status not written, trying again", reason=str(error), documents=len(commit.documents)
                )
            await self._connection.pause()
            await self._connection.wait_connected()

    async def write(self, commit: Commit) -> None:
        """Write one commit. BusError: it must be written again."""
        for start in range(0, len(commit.events), SLICE):
            told = commit.events[start : start + SLICE]
            await self._events.write([Put(event.subject, event.body, event.headers) for event in told])
        documents = list(commit.documents.items())
        for start in range(0, len(documents), SLICE):
            some = [
                (key, *await self._document(key, standing))
                for key, standing in documents[start : start + SLICE]
            ]
            revision = await self._bulk.write([_put(key, record) for key, record, _ in some])
            for key, record, state in some:
                self._showing.document(key, record, state)
                standing = commit.documents[key]
                if isinstance(standing.last, Word) and standing.refused is None and record is not None:
                    self._on_packed(key, standing.last.known, record.frame)
            self._showing.stored(revision)
        await self._edges.write(commit.edges, commit.cursor)
        self.documents_written += len(commit.documents)
        self.events_published += len(commit.events)

    async def _document(self, key: Key, standing: Standing) -> tuple[StatusRecord | None, Listed | None]:
        """Return what is to be written (None: delete it), and what its document says, where that is known."""
        last, refused = standing.last, standing.refused
        if refused is not None:
            good = await self._stored(key) if last is None else _record(last)
            return _troubled(key.app, good, refused), None
        if isinstance(last, Word):
            return _record(last), last.state
        return None, None

    async def _stored(self, key: Key) -> StatusRecord:
        try:
            return StatusRecord.unpack((await self._bucket.get(key.text)).value)
        except (NotFound, MalformedMessage):
            return NOTHING


def _put(key: Key, record: StatusRecord | None) -> Put:
    return delete(STATUSES, key.text) if record is None else put(STATUSES, key.text, record.pack())


def _record(word: Word | Gone) -> StatusRecord:
    if isinstance(word, Gone):
        return NOTHING
    return StatusRecord(
        b"", word.observed_at_ms, word.received_at_ms, frames.packed(word.known.frame, word.known.size_bytes)
    )


def _troubled(app: str, record: StatusRecord, refused: Refused) -> StatusRecord:
    """Return the last good document, saying that there is a newer one.

    After a restart its digest differs from the edge's, which is then asked once more.
    """
    document = troubled(app, frames.document_of(record), refused.kind)
    observed_at_ms = record.observed_at_ms or refused.received_at_ms
    return StatusRecord(b"", observed_at_ms, refused.received_at_ms, frames.hold(document))
