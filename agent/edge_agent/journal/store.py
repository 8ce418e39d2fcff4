"""The journal on disk, in the replica's file: appended, sent, thinned; bounded in bytes.

Entries are numbered in the order in which they happened. What the hub has acknowledged stays for a look on the site while
there is room, and goes first when there is none; then the oldest routine entries, then the oldest. An append that can't be
written (the disk is full) is counted, and stands in the journal as a gap once it can be; so does an entry that is damaged.

No number that the hub has seen is used again in one epoch: what is sent is in the file by then, log or no log; where it can't be
told which number was the last, the journal begins another epoch. Once the day's budget of writes is spent, entries are gathered in
memory.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import msgpack

from edge_agent.journal.entry import ROUTINE, Entry
from edge_agent.journal.thin import complete, lost, markers
from edge_agent.replica import Database, Loss, ReplicaDamaged, ReplicaUnwritable
from edge_agent.replica.tables import JOURNAL, META, Values

MAX_BYTES = 4 << 20
# A busy site writes some 10 KB a day: months. A site where two controllers fight is thinned.
THIN_TO = 0.9
# Of the bound: thinned in one go, so that not every append has to.
ROW_OVERHEAD_BYTES = 40
GATHERED_MAX = 500
# Entries in memory; of more, the oldest routine ones are counted only.
_NEXT, _SENT, _EPOCH = "journal_next", "journal_sent", "made_ms"

Happened = tuple[str, str, dict[str, object]]
"""Application (empty: the cluster), kind, detail."""


class Journal:
    """The journal of one replica. What can't be written or read is counted; nothing here fails."""

    def __init__(
        self, database: Database, max_bytes: int = MAX_BYTES, *, clock: Callable[[], float] = time.time
    ) -> None:
        """`clock`: Unix time in seconds."""
        self._database, self._max_bytes, self._clock = database, max_bytes, clock
        self._lock = threading.RLock()
        self._lost: dict[str, int] = {}
        self._lost_until_ms = 0
        self._gathered: list[tuple[int, Happened]] = []
        self._is_stale = True
        self._epoch, self._next, self._sent, self._bytes = 0, 1, 0, 0
        database.observers.append(self._on_loss)
        database.gatherers.append(self._write_gathered)
        self._load()

    @property
    def epoch(self) -> int:
        """In which the entries are numbered: Unix time in ms of its beginning."""
        self._load()
        return self._epoch

    @property
    def sent(self) -> int:
        """The last sequence number that the hub has acknowledged."""
        self._load()
        return self._sent

    @property
    def newest(self) -> int:
        """The last sequence number that was written."""
        self._load()
        return self._next - 1

    @property
    def size_bytes(self) -> int:
        """How much it takes, about."""
        return self._bytes

    @property
    def is_sent(self) -> bool:
        """Whether the hub has all of it."""
        self._load()
        return self._sent >= self._next - 1

    def append(self, at_ms: int, happened: list[Happened]) -> None:
        """Add entries, all or none. What can't be written is counted and told as a gap later."""
        if not happened:
            return
        with self._lock:
            self._gathered += [(at_ms, one) for one in happened]
            if not self._database.is_sparing:
                self._write_gathered()
            elif len(self._gathered) > GATHERED_MAX:
                self._let_go(len(self._gathered) - GATHERED_MAX)

    def unsent(self, max_bytes: int) -> list[Entry]:
        """Return the oldest entries that the hub hasn't acknowledged, up to a size, at least one. Blocks.

        A gap may reach back over entries that it has: what was sent before it was thinned counts.
        """
        found: list[Entry] = []
        bad: list[bytes] = []

        def look(connection: sqlite3.Connection) -> bool:
            found.clear()
            bad.clear()
            size = 0
            for values, key in JOURNAL.look(connection, "WHERE last_seq > ? ORDER BY seq", (self._sent,)):
                if values is None:
                    bad.append(key)
                    continue
                size += _size(values)
                if found and size > max_bytes:
                    return False
                found.append(_entry(values))
            return True

        with self._lock:
            self._load()
            self._database.checkpoint()
            is_all = self._database.read(look)
            if bad:
                self._database.drop(JOURNAL, bad)
            return list(complete(found, self._sent + 1, self._next if is_all else None))

    def last(self, count: int) -> list[Entry]:
        """Return the newest entries, oldest first: for a look on the site."""
        rows = self._database.rows(JOURNAL, "ORDER BY seq DESC LIMIT ?", (count,))
        return [_entry(values) for values in reversed(rows)]

    def ends_of_syncs(self) -> tuple[dict[str, str], int]:
        """Return when the last sync that is told of each application began, and since when the journal tells all."""
        began: dict[str, str] = {}
        bad: list[bytes] = []

        def look(connection: sqlite3.Connection) -> int:
            since_ms, reached = 0, None
            for values, key in JOURNAL.look(connection, "ORDER BY seq"):
                if values is None:
                    bad.append(key)
                    continue
                entry = _entry(values)
                if entry.kind == "gap" or (reached is not None and entry.seq > reached + 1):
                    since_ms = max(since_ms, entry.at_ms)
                if entry.kind in ("sync-succeeded", "sync-failed"):
                    began[entry.app] = str(entry.detail.get("startedAt", ""))
                reached = entry.last_seq
            return since_ms

        since_ms = self._database.read(look)
        if bad:
            self._database.drop(JOURNAL, bad)
        return began, since_ms

    def acknowledge(self, seq: int, epoch: int | None = None) -> None:
        """The hub has everything up to here, in this epoch."""
        with self._lock:
            if (epoch is None or epoch == self.epoch) and seq > self.sent:
                self._sent = seq
                # Where it can't be written, a restart sends again what the hub knows by its numbers.
                with suppress(ReplicaUnwritable):
                    self._database.set_meta(_SENT, seq)

    def _on_loss(self, loss: Loss) -> None:
        # In any thread, inside the database's lock.
        if loss.what in ("file", "newest", "numbers"):
            self._is_stale = True

    def _load(self) -> None:
        with self._lock:
            if not self._is_stale:
                return
            self._is_stale = False
            database = self._database
            self._epoch, self._next, self._sent = (database.meta(key) for key in (_EPOCH, _NEXT, _SENT))
            self._bytes = database.read(_total)
            if not self._epoch or not self._next:
                self._begin()

    def _begin(self) -> None:
        """Begin another epoch, behind the entries that are there."""
        self._epoch = round(self._clock() * 1000)
        self._next = max((values[1] for values in self._database.rows(JOURNAL)), default=0) + 1
        with suppress(ReplicaUnwritable), self._database.transaction() as connection:
            META.put(connection, _EPOCH, self._epoch)
            META.put(connection, _NEXT, self._next)

    def _write_gathered(self) -> None:
        with self._lock:
            try:
                self._write()
            except ReplicaUnwritable:
                self._let_go(len(self._gathered))

    def _write(self) -> None:
        for _ in range(3):
            self._load()
            if not self._gathered:
                return
            try:
                self._append(self._numbered())
            except ReplicaDamaged:
                continue
            self._gathered.clear()
            self._lost.clear()
            return
        raise ReplicaUnwritable(self._database.trouble)

    def _append(self, entries: list[Entry]) -> None:
        rows = [_row(entry) for entry in entries]
        added, after = sum(map(_size, rows)), entries[-1].last_seq + 1
        with self._database.transaction(room=added) as connection:
            for row in rows:
                JOURNAL.put(connection, *row)
            META.put(connection, _NEXT, after)
            if self._bytes + added > self._max_bytes:
                self._thin(connection)
                added = _total(connection) - self._bytes
        self._bytes += added
        self._next = after

    def _numbered(self) -> list[Entry]:
        """Return what is to be written, with what stands for what never was."""
        entries: list[Entry] = []
        seq = self._next
        if self._lost:
            entries.append(lost(seq, self._lost, self._lost_until_ms))
            seq = entries[-1].last_seq + 1
        entries += [
            Entry(number, at_ms, app, kind, dict(detail))
            for number, (at_ms, (app, kind, detail)) in enumerate(self._gathered, start=seq)
        ]
        return entries

    def _let_go(self, count: int) -> None:
        """Only count some of what was gathered: the oldest routine entries, then the oldest."""
        order = sorted(range(len(self._gathered)), key=lambda n: (self._gathered[n][1][1] not in ROUTINE, n))
        going = set(order[:count])
        for number in sorted(going):
            at_ms, (_, kind, _) = self._gathered[number]
            self._lost[kind] = self._lost.get(kind, 0) + 1
            self._lost_until_ms = at_ms
        self._gathered = [one for n, one in enumerate(self._gathered) if n not in going]

    def _thin(self, connection: sqlite3.Connection) -> None:
        target = int(self._max_bytes * THIN_TO)
        for values in _until_freed(connection, "last_seq <= ? ORDER BY seq", self._sent, target):
            _delete(connection, values[0])
        oldest_first = "last_seq > ? AND kind != 'gap' ORDER BY routine DESC, seq"
        going = list(_until_freed(connection, oldest_first, self._sent, target))
        if going:
            unsent_gaps = "WHERE last_seq > ? AND kind = 'gap'"
            gaps = [values for values, _ in JOURNAL.look(connection, unsent_gaps, (self._sent,)) if values]
            for values in (*going, *gaps):
                _delete(connection, values[0])
            made = markers(
                [Entry(seq, at_ms, "", kind) for seq, _, at_ms, kind, *_ in going], map(_entry, gaps)
            )
            for entry in made:
                JOURNAL.put(connection, *_row(entry))


def _until_freed(connection: sqlite3.Connection, where: str, after: int, target: int) -> Iterator[Values]:
    """Yield rows in their order, as many as it takes to come down to a size. What is damaged goes as well."""
    excess = _total(connection) - target
    rows = connection.execute(f"SELECT seq FROM journal WHERE {where}", (after,)).fetchall()  # noqa: S608
    for (seq,) in rows:
        if excess <= 0:
            return
        for values, _ in JOURNAL.look(connection, "WHERE seq = ?", (seq,)):
            if values is None:
                _delete(connection, seq)
            else:
                excess -= _size(values)
                yield values


def _delete(connection: sqlite3.Connection, seq: int) -> None:
    connection.execute("DELETE FROM journal WHERE seq = ?", (seq,))


def _row(entry: Entry) -> Values:
    packed: bytes = msgpack.packb(entry.value())
    return entry.seq, entry.last_seq, entry.at_ms, entry.kind, int(entry.is_routine), packed


def _size(row: Values) -> int:
    return len(row[-1]) + ROW_OVERHEAD_BYTES


def _total(connection: sqlite3.Connection) -> int:
    query = "SELECT coalesce(sum(length(entry)), 0) + count(*) * ? FROM journal"
    (total,) = connection.execute(query, (ROW_OVERHEAD_BYTES,)).fetchone()
    return int(total)


def _entry(row: Values) -> Entry:
    return Entry(*msgpack.unpackb(row[-1], raw=False))
