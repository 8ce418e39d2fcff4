"""What one edge has: its replica as the file says, the objects on its cluster, and its status documents as it sends them whole."""

import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_agent.journal import Journal
from edge_agent.journal.entry import Entry
from edge_agent.replica import Bundles, Held, Holdings, opened
from outrider import delta, subjects
from outrider.bus import Connection
from outrider.bus.follow import follow
from outrider.bus.jetstream import JetStream
from outrider.messages import Command, Generation, StatusBatch, StatusEntry
from outrider.names import AppName, ClusterName, from_token, token
from outrider_playground.demo.edge import Edge

TRACKING = "argocd.argoproj.io/tracking-id"
DOCUMENT_MAX_BYTES = 1 << 20
ENTRIES_MAX = 100_000


@dataclass(frozen=True)
class Replica:
    """A replica's file, read from a copy while the agent goes on."""

    records: dict[str, Held]
    bundles: dict[bytes, bytes]
    # canonical bytes of those that records name
    complete: Generation
    journal: list[Entry]
    journal_sent: int


def read_replica(edge: Edge) -> Replica:
    """Read an edge's replica."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "replica.sqlite"
        _copied(edge.replica, copy)
        with opened(copy) as database:
            bundles = Bundles(database)
            holdings = Holdings(database, bundles)
            journal = Journal(database)
            records = {str(held.app): held for held in holdings.all()}
            named = {one.record.digest for one in records.values() if one.record.digest}
            held = {digest: bundles.get(digest) for digest in named}
            return Replica(
                records,
                {digest: data for digest, data in held.items() if data is not None},
                holdings.complete,
                journal.last(ENTRIES_MAX),
                journal.sent,
            )


def _copied(source: Path, target: Path) -> None:
    """Copy a database that another process writes."""
    reading = sqlite3.connect(f"file:{source}?mode=ro", uri=True)
    writing = sqlite3.connect(target)
    try:
        reading.backup(writing)
    finally:
        reading.close()
        writing.close()


def live_objects(edge: Edge) -> dict[str, dict[tuple[str, str, str], dict[str, Any]]]:
    """Return the objects on the cluster that are an application's, by application and by apiVersion, kind and name."""
    found: dict[str, dict[tuple[str, str, str], dict[str, Any]]] = {}
    for _, _, manifest in edge.cluster.state.store.everything():
        app = _claimed_by(manifest)
        if app:
            key = manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"]
            found.setdefault(app, {})[key] = manifest
    return found


def _claimed_by(manifest: dict[str, Any]) -> str:
    """Return the application that an object is tracked to; a copy that names another object is nobody's."""
    annotations = manifest["metadata"].get("annotations") or {}
    app, _, place = str(annotations.get(TRACKING, "")).partition(":")
    return app if place.endswith(f"/{manifest['metadata']['name']}") else ""


@dataclass
class Said:
    """The documents of one edge, as it sends them when it is asked for all of them."""

    cluster: ClusterName
    set_digest: bytes = b""
    documents: dict[str, bytes] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether these are all, by the edge's own digest."""
        # The cluster's own document is none of the set.
        digests = {token(AppName(app)): delta.short(delta.digest(data)) for app, data in self.by_name()}
        return bool(self.set_digest) and delta.set_digest(digests).startswith(self.set_digest)

    def hear(self, batch: StatusBatch) -> None:
        """Take in a batch; patches are against what was said here."""
        for raw in batch.entries:
            self._entry(StatusEntry.parse(raw))
        self.set_digest = batch.set_digest

    def _entry(self, entry: StatusEntry) -> None:
        if entry.frame is None:
            self.documents.pop(entry.app, None)
            return
        base = self.documents.get(entry.app) if entry.base is not None else None
        if entry.base is not None and base is None:
            return
        value = delta.Delta(entry.digest, entry.base, entry.frame)
        self.documents[entry.app] = value.apply(base, max_bytes=DOCUMENT_MAX_BYTES)

    def by_name(self) -> Iterator[tuple[str, bytes]]:
        """Yield applications with their documents."""
        return ((from_token(app), data) for app, data in self.documents.items() if not app.startswith("$"))


async def ask_for_everything(connection: Connection, cluster: ClusterName) -> Said:
    """Have an edge send all its documents whole, and return them. `connection`: the aggregator's."""
    js = JetStream(connection)
    last = int((await js.api("STREAM.INFO.STATUS"))["state"]["last_seq"])
    command = Command(connection.unique_token(), {"apps": None})
    await connection.publish(subjects.command(cluster, "status"), command.pack())
    said = Said(cluster)
    async for batch in follow(js, "STATUS", subjects.status(cluster), after_seq=last):
        for stored in batch.messages:
            said.hear(StatusBatch.unpack(stored.data).with_entries())
        if said.is_whole:
            break
    return said
