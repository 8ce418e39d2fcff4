"""Bundles by digest: what applications run, and what they ran before, from which patches are made and rollbacks done.

What an application runs, is about to leave, or names in its history is never dropped: histories are bounded by their length, and
so are the bundles that they keep. The others are there for patches, up to a bound and while there is room; the least recently used go first.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

import msgpack

from edge_agent.replica.database import Database
from edge_agent.replica.errors import ReplicaUnwritable
from edge_agent.replica.losses import Loss
from edge_agent.replica.tables import CORE, DESIRED, PROGRESS, RENDERED, TWIN, by_prefix, needed_bundles
from outrider import delta

BUNDLE_MAX_BYTES = 64 << 20
# Unpacked. What is larger is refused at the hub too.
UNUSED_MAX_BYTES = 32 << 20
# Compressed bytes of bundles that neither an application nor a history names.
HELD_MAX = 64
# Short digests that a bundle request tells the hub.
TOUCHED_AFTER_MS = 24 * 3600 * 1000
# When a bundle was used is written down once a day: flash wears.

Row = tuple[bytes, bytes, int, int]


class Bundles:
    """The bundles that this edge holds."""

    def __init__(
        self,
        database: Database,
        *,
        unused_max_bytes: int = UNUSED_MAX_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock`: Unix time in seconds."""
        self._database, self._clock = database, clock
        self._unused_max_bytes = unused_max_bytes
        self._lock = threading.Lock()
        self._used_ms: dict[bytes, int] = {}
        # by this process
        self._touched: set[bytes] = set()
        self.in_use: Callable[[], Collection[str]] = tuple
        # Short digests of what passes are about at this moment; from any thread.
        database.gatherers.append(self._write_touched)
        database.evictors.append(self._make_room)

    def get(self, digest: bytes) -> bytes | None:
        """Return a bundle's canonical bytes, by its digest or the beginning of it; None if it is not held.

        One that is damaged is not held any more, and lost.
        """
        row = self._row(digest)
        if row is None:
            return None
        number, whole, frame, used_at = row
        try:
            data = delta.decompress(frame, max_bytes=BUNDLE_MAX_BYTES)
        except (delta.WrongBase, delta.TooLarge, TypeError):
            data = b""
        found = delta.digest(data)
        if found.startswith(digest):
            self._use(found, used_at)
            return data
        with suppress(ReplicaUnwritable):
            self._delete(number, digest)
        name = whole if isinstance(whole, bytes) and whole.startswith(digest) else digest
        self._database.lost(Loss("bundle", name.hex(), "its bytes don't have its digest"))
        return None

    def by_short(self, short_digest: bytes) -> bytes | None:
        """Return the bundle with this short digest."""
        return self.get(short_digest)

    def is_needed(self, digest: bytes) -> bool:
        """Say whether an application runs it, or its history names it."""
        return digest in (needed := self._needed()) or delta.short(digest) in needed

    def held(self) -> list[bytes]:
        """Return the short digests of the bundles used last, newest first."""
        rows = self._read(
            "SELECT CAST(digest AS BLOB) FROM bundles ORDER BY used_at DESC, rowid DESC LIMIT ?", (HELD_MAX,)
        )
        return [delta.short(digest) for (digest,) in rows]

    def manifests(self, digest: bytes) -> list[dict[str, Any]]:
        """Return the manifests in a bundle; KeyError if it is not held. Blocks: call it in a thread."""
        data = self.get(digest)
        if data is None:
            raise KeyError(digest.hex())
        manifests: list[dict[str, Any]] = msgpack.unpackb(data, raw=False)
        return manifests

    def missed(self, digest: bytes) -> None:
        """Take in that an application needs a bundle that is not held."""
        self._database.lost(Loss("bundle", digest.hex(), "it is not held"))

    def prepare(self, data: bytes) -> Row:
        """Return the row of a bundle, to be stored with its record in one transaction."""
        return delta.digest(data), delta.compress_fast(data), len(data), self._now_ms()

    def put(self, data: bytes) -> None:
        """Hold a bundle that no record names. ReplicaUnwritable."""
        row = self.prepare(data)
        self._database.write(
            lambda connection: connection.execute("INSERT OR REPLACE INTO bundles VALUES (?, ?, ?, ?)", row),
            room=len(row[1]),
        )

    def evict(self) -> int:
        """Drop what nothing needs, least recently used first, down to the bound; return how many went. ReplicaUnwritable."""
        sizes = self._read("SELECT coalesce(sum(length(frame)), 0) FROM bundles")
        return self._evict(self._unused_max_bytes) if sizes[0][0] > self._unused_max_bytes else 0

    def _make_room(self) -> None:
        self._evict(0)

    def _evict(self, max_bytes: int) -> int:
        needed, now_ms = self._needed(), self._now_ms()
        unused: list[tuple[int, int, int, bytes]] = []
        for number, digest, size, used_at in self._read(
            "SELECT rowid, CAST(digest AS BLOB), length(frame), used_at FROM bundles"
        ):
            if digest not in needed and delta.short(digest) not in needed:
                used_ms = max(self._used_ms.get(digest, 0), _at_ms(used_at, now_ms))
                unused.append((used_ms, number, size, digest))
        doomed = []
        for _, number, size, digest in sorted(unused, reverse=True):
            max_bytes -= size
            if max_bytes < 0:
                doomed.append((number, digest))
        for one in doomed:
            # Each in a transaction of its own: on a full disk it must fit into what the log has already.
            self._delete(*one)
        return len(doomed)

    def _needed(self) -> set[bytes]:
        """Return digests and short digests of what applications run, or are rendered to here, and their histories name."""
        in_use = {bytes.fromhex(digest) for digest in self.in_use()}
        records = [*self._database.rows(DESIRED), *self._database.rows(TWIN)]
        found = {digest for _, _, _, digest, _ in records if digest}
        found |= {digest for _, _, digest, _ in self._database.rows(RENDERED)}
        packed: dict[str, bytes] = {app: value for app, value in self._database.rows(CORE)}
        for (app,) in self._read("SELECT app FROM progress"):
            if app not in packed:
                packed.update(self._database.rows(PROGRESS, "WHERE app = ?", (app,)))
        return found.union(in_use, *map(needed_bundles, packed.values()))

    def _use(self, digest: bytes, used_at: object) -> None:
        now_ms = self._now_ms()
        with self._lock:
            self._used_ms[digest] = now_ms
            if now_ms - _at_ms(used_at, now_ms) > TOUCHED_AFTER_MS:
                self._touched.add(digest)

    def _write_touched(self) -> None:
        with self._lock:
            touched, self._touched = self._touched, set()
            rows = [(self._used_ms[digest], digest) for digest in touched]
        if rows:
            self._database.write(
                lambda connection: connection.executemany(
                    "UPDATE bundles SET used_at = ? WHERE digest = ?", rows
                ),
                room=None,
            )

    def _delete(self, number: int, digest: object) -> None:
        def delete(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM bundles WHERE rowid = ?", (number,))
            connection.execute("DELETE FROM archive WHERE digest = ?", (digest,))

        self._database.write(delete, room=None)

    def _row(self, digest: bytes) -> tuple[int, Any, Any, Any] | None:
        rows = self._read(
            "SELECT rowid, digest, frame, used_at FROM bundles WHERE digest BETWEEN ? AND ? LIMIT 1",
            by_prefix(digest),
        )
        return rows[0] if rows else None

    def _read(self, query: str, arguments: tuple[Any, ...] = ()) -> list[Any]:
        return self._database.read(lambda connection: connection.execute(query, arguments).fetchall())

    def _now_ms(self) -> int:
        return round(self._clock() * 1000)


def _at_ms(used_at: object, now_ms: int) -> int:
    """Return when a bundle was used; long ago, where that is in the future, or no time at all."""
    return used_at if isinstance(used_at, int) and used_at <= now_ms else 0
