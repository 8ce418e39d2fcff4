"""What this process keeps in bucket `status`, and how it is read back after a crash.

    <cluster>.<application token>   StatusRecord: the last good document
    <cluster>.$cluster              StatusRecord: the last good document of the cluster itself
    <cluster>                       EdgeRecord: presence, last word, the last batch folded
    _cursor                         the last sequence of stream STATUS that all the others hold
    _writer                         which aggregator folds (`lease`)

A key of a cluster or application never begins with `_`.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple

from outrider import delta
from outrider.bus.buckets import KeyValue
from outrider.codec import MalformedMessage, Message
from outrider.names import ClusterName
from outrider.records import EdgeRecord, StatusRecord
from outrider.topology import STATUSES
from status_aggregator import frames
from status_aggregator.about import listed_of
from status_aggregator.bulk import Bulk, delete, put
from status_aggregator.edge import Edge, Known, Marks

CURSOR = "_cursor"
WRITER = "_writer"
NEVER = EdgeRecord(online=False, since_ms=0)
Changes = dict[str, Any] | None
# Fields of an EdgeRecord; None: the cluster is no longer registered.
Stored = Mapping[ClusterName, EdgeRecord | None]


@dataclass(frozen=True)
class Cursor(Message):
    """Up to where stream STATUS is folded into the bucket."""

    VERSION: ClassVar[int] = 1
    seq: int
    created: str = ""
    # of the stream: another stream begins at 1 again


class Key(NamedTuple):
    """A key that is a cluster's (`app` empty) or an application's."""

    cluster: ClusterName
    app: str

    @classmethod
    def parse(cls, key: str) -> "Key | None":
        """Return what a key is about; None if it is one of this process's own."""
        if key.startswith("_"):
            return None
        cluster, _, app = key.partition(".")
        return cls(ClusterName(cluster), app)

    @property
    def text(self) -> str:
        """The key as the bucket has it."""
        return f"{self.cluster}.{self.app}" if self.app else self.cluster


class EdgeTable:
    """The EdgeRecord of each cluster as the bucket has it. Two loops change parts of one record: one at a time."""

    def __init__(
        self, bulk: Bulk, records: dict[ClusterName, EdgeRecord], on_stored: Callable[[Stored, int], None]
    ) -> None:
        """`on_stored` is told which records were written (None: deleted), and the bucket's revision."""
        self._bulk, self._on_stored = bulk, on_stored
        self._writing = asyncio.Lock()
        self.records = records

    def get(self, cluster: ClusterName) -> EdgeRecord:
        """Return a cluster's record; NEVER for one that was not heard of."""
        return self.records.get(cluster, NEVER)

    async def write(self, changes: Mapping[ClusterName, Changes], cursor: Cursor | None = None) -> None:
        """Change fields of records, then the cursor. BusError: nothing counts as changed, it must be written again."""
        async with self._writing:
            changed = {
                cluster: None if fields is None else replace(self.get(cluster), **fields)
                for cluster, fields in changes.items()
            }
            puts = [
                delete(STATUSES, cluster) if record is None else put(STATUSES, cluster, record.pack())
                for cluster, record in changed.items()
            ]
            if cursor is not None:
                puts.append(put(STATUSES, CURSOR, cursor.pack()))
            revision = await self._bulk.write(puts)
            for cluster, record in changed.items():
                self.records.pop(cluster, None)
                if record is not None:
                    self.records[cluster] = record
        self._on_stored(changed, revision)


@dataclass
class Loaded:
    """The bucket as it was when it was read."""

    cursor: Cursor = field(default_factory=lambda: Cursor(0))
    edge_records: dict[ClusterName, EdgeRecord] = field(default_factory=dict)
    known: dict[ClusterName, dict[str, Known]] = field(default_factory=dict)
    revision: int = 0

    def edges(self) -> dict[ClusterName, Edge]:
        """Return the state that folding goes on from."""
        return {
            cluster: _edge(self.edge_records.get(cluster, NEVER), self.known.get(cluster, {}))
            for cluster in {*self.edge_records, *self.known}
        }


def _edge(record: EdgeRecord, apps: dict[str, Known]) -> Edge:
    size_bytes = sum(known.size_bytes for known in apps.values())
    if not record.heard_at_ms:
        return Edge(apps=apps, size_bytes=size_bytes)
    return Edge(epoch=record.epoch, seq=record.seq, apps=apps, size_bytes=size_bytes)


async def load(bucket: KeyValue) -> Loaded:
    """Read the bucket."""
    loaded = Loaded()
    watching = bucket.watch()
    async with aclosing(watching):  # type: ignore[type-var]
        async for changes in watching:
            for change in changes.changes:
                _take(loaded, change.key, change.value)
                loaded.revision = change.revision
            if changes.caught_up:
                break
    return loaded


def _take(loaded: Loaded, text: str, value: bytes | None) -> None:
    key = Key.parse(text)
    if key is None:
        if text == CURSOR and value is not None:
            loaded.cursor = Cursor.unpack(value)
    elif key.app:
        apps = loaded.known.setdefault(key.cluster, {})
        known = _known(key.app, value) if value is not None else None
        if known is None:
            apps.pop(key.app, None)
        else:
            apps[key.app] = known
    elif value is None:
        loaded.edge_records.pop(key.cluster, None)
    else:
        loaded.edge_records[key.cluster] = EdgeRecord.unpack(value)


def _known(app: str, value: bytes) -> Known | None:
    """Return a stored document as one that the edge announced; None when it can't be read, so that it is asked for."""
    try:
        record = StatusRecord.unpack(value)
        document = frames.document_of(record)
        marks = Marks.of(listed_of(app, document))
    except MalformedMessage:
        return None
    digest = delta.short_digest(document)
    return Known(digest, digest, record.frame or frames.hold(document), len(document), marks)
