"""The journal on disk, in the replica's file: appended, sent, thinned; bounded in bytes.

Entries are numbered in the order in which they happened. What the hub has acknowledged stays for a look on the site while
there is room, and goes first when there is none; then the oldest routine entries, then the oldest. An append that can't be
written (the disk is full) is counted, and stands in the journal as a gap once it can be.
"""

import sqlite3

import msgpack

from edge_agent.journal.entry import Entry
from edge_agent.journal.thin import lost, markers
from edge_agent.replica import Database, ReplicaUnwritable

MAX_BYTES = 4 << 20
# A busy site writes some 10 KB a day: months. A site where two controllers fight is thinned.
THIN_TO = 0.9
# Of the bound: thinned in one go, so that not every append has to.
ROW_OVERHEAD_BYTES = 40

_SCHEMA = """
CREATE TABLE IF NOT EXISTS journal (
    seq INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, kind TEXT NOT NULL,
    routine INTEGER NOT NULL, size INTEGER NOT NULL, entry BLOB NOT NULL
)
"""
_NEXT, _SENT = "journal_next", "journal_sent"

Happened = tuple[str, str, dict[str, object]]
"""Application (empty: the cluster), kind, detail."""


class Journal:
    """The journal of one replica. Every method may raise `ReplicaUnwritable`, but `append`."""

    def __init__(self, database: Database, max_bytes: int = MAX_BYTES) -> None:
        self._database, self._max_bytes = database, max_bytes
        with database.transaction() as connection:
            connection.execute(_SCHEMA)
            self._bytes = _total(connection)
        self._next, self._sent = database.meta(_NEXT, 1), database.meta(_SENT)
        self._lost: dict[str, int] = {}
        self._lost_until_ms = 0

    @property
    def sent(self) -> int:
        """The last sequence number that the hub has acknowledged."""
        return self._sent

    @property
    def size_bytes(self) -> int:
        """How much it takes, about."""
        return self._bytes

    @property
    def is_sent(self) -> bool:
        """Whether the hub has all of it."""
        return self._sent >= self._next - 1

    def append(self, at_ms: int, happened: list[Happened]) -> None:
        """Add entries, all or none. Never fails: what can't be written is counted and told as a gap later."""
        if not happened:
            return
        try:
            self._append(at_ms, happened)
        except ReplicaUnwritable:
            for _, kind, _ in happened:
                self._lost[kind] = self._lost.get(kind, 0) + 1
            self._lost_until_ms = at_ms

    def _append(self, at_ms: int, happened: list[Happened]) -> None:
        seq, entries = self._next, []
        if self._lost:
            entries.append(lost(seq, self._lost, self._lost_until_ms))
            seq = entries[-1].last_seq + 1
        for app, kind, detail in happened:
            entries.append(Entry(seq, at_ms, app, kind, dict(detail)))
            seq += 1
        with self._database.transaction() as connection:
            added = _insert(connection, entries)
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_NEXT, seq))
            if self._bytes + added > self._max_bytes:
                self._thin(connection)
            else:
                self._bytes += added
        self._next = seq
        self._lost.clear()

    def unsent(self, max_bytes: int) -> list[Entry]:
        """Return the oldest entries that the hub hasn't acknowledged, up to a size, at least one.

        A gap may reach back over entries that it has: what was sent before it was thinned counts.
        """
        found: list[Entry] = []
        size = 0
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT size, entry FROM journal WHERE last_seq > ? ORDER BY seq", (self._sent,)
            )
            for row_size, packed in rows:
                size += row_size
                if found and size > max_bytes:
                    break
                found.append(_entry(packed))
        return found

    def last(self, count: int) -> list[Entry]:
        """Return the newest entries, oldest first: for a look on the site."""
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT entry FROM journal ORDER BY seq DESC LIMIT ?", (count,)
            ).fetchall()
        return [_entry(packed) for (packed,) in reversed(rows)]

    def ends_of_syncs(self) -> tuple[dict[str, str], int]:
        """Return when the last sync that is told of each application began, and since when the journal tells all."""
        began: dict[str, str] = {}
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT entry FROM journal WHERE kind IN ('sync-succeeded', 'sync-failed') ORDER BY seq"
            )
            for (packed,) in rows:
                entry = _entry(packed)
                began[entry.app] = str(entry.detail.get("startedAt", ""))
            (since_ms,) = connection.execute(
                "SELECT coalesce(max(at_ms), 0) FROM journal WHERE kind = 'gap'"
            ).fetchone()
        return began, int(since_ms)

    def acknowledge(self, seq: int) -> None:
        """The hub has everything up to here."""
        if seq > self._sent:
            self._database.set_meta(_SENT, seq)
            self._sent = seq

    def _thin(self, connection: sqlite3.Connection) -> None:
        excess = _total(connection) - int(self._max_bytes * THIN_TO)
        for _, doomed in _until_freed(connection, "last_seq <= ? ORDER BY seq", self._sent, excess):
            connection.execute("DELETE FROM journal WHERE seq = ?", (doomed.seq,))
        excess = _total(connection) - int(self._max_bytes * THIN_TO)
        oldest_first = "last_seq > ? AND kind != 'gap' ORDER BY routine DESC, seq"
        going = [entry for _, entry in _until_freed(connection, oldest_first, self._sent, excess)]
        if going:
            rows = connection.execute(
                "SELECT entry FROM journal WHERE last_seq > ? AND kind = 'gap'", (self._sent,)
            )
            gaps = [_entry(packed) for (packed,) in rows]
            connection.executemany(
                "DELETE FROM journal WHERE seq = ?", [(one.seq,) for one in (*going, *gaps)]
            )
            _insert(connection, markers(going, gaps))
        self._bytes = _total(connection)


def _until_freed(
    connection: sqlite3.Connection, where: str, after: int, excess: int
) -> list[tuple[int, Entry]]:
    """Return sizes and entries (without their detail) that free so many bytes."""
    found: list[tuple[int, Entry]] = []
    rows = connection.execute(f"SELECT seq, at_ms, kind, size FROM journal WHERE {where}", (after,))  # noqa: S608
    for seq, at_ms, kind, size in rows:
        if excess <= 0:
            break
        found.append((size, Entry(seq, at_ms, "", kind)))
        excess -= size
    return found


def _insert(connection: sqlite3.Connection, entries: list[Entry]) -> int:
    """Write entries; return what they take."""
    rows = []
    for entry in entries:
        packed: bytes = msgpack.packb(entry.value())
        size = len(packed) + ROW_OVERHEAD_BYTES
        routine = entry.is_routine
        rows.append((entry.seq, entry.last_seq, entry.at_ms, entry.kind, routine, size, packed))
    connection.executemany("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    return sum(row[5] for row in rows)


def _total(connection: sqlite3.Connection) -> int:
    (total,) = connection.execute("SELECT coalesce(sum(size), 0) FROM journal").fetchone()
    return int(total)


def _entry(packed: bytes) -> Entry:
    return Entry(*msgpack.unpackb(packed, raw=False))
