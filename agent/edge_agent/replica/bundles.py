"""Bundles by digest: what applications run, and what they ran before, from which patches are made and rollbacks done."""

import time
from typing import Any

import msgpack

from edge_agent.replica.database import Database
from outrider import delta

BUNDLE_MAX_BYTES = 64 << 20
# Unpacked. What is larger is refused at the hub too.
UNUSED_MAX_BYTES = 32 << 20
# Compressed bytes of bundles that no application names; the least recently used go first.
KEPT_MAX_BYTES = 256 << 20
# Compressed bytes of bundles that only histories name, at most ten an application as a rule.
HELD_MAX = 64
# Short digests that a bundle request tells the hub.


class Bundles:
    """The bundles that this edge holds."""

    def __init__(
        self,
        database: Database,
        *,
        unused_max_bytes: int = UNUSED_MAX_BYTES,
        kept_max_bytes: int = KEPT_MAX_BYTES,
    ) -> None:
        self._database = database
        self._unused_max_bytes, self._kept_max_bytes = unused_max_bytes, kept_max_bytes

    def get(self, digest: bytes) -> bytes | None:
        """Return a bundle's canonical bytes, checked against its digest; None if it is not held (or rotten)."""
        with self._database.transaction() as connection:
            row = connection.execute("SELECT frame FROM bundles WHERE digest = ?", (digest,)).fetchone()
        if row is None:
            return None
        try:
            data = delta.decompress(row[0], max_bytes=BUNDLE_MAX_BYTES)
        except (delta.WrongBase, delta.TooLarge):
            return None
        return data if delta.digest(data) == digest else None

    def by_short(self, short_digest: bytes) -> bytes | None:
        """Return the bundle with this short digest."""
        with self._database.transaction() as connection:
            row = connection.execute(
                "SELECT digest FROM bundles WHERE substr(digest, 1, ?) = ?",
                (delta.SHORT_DIGEST_BYTES, short_digest),
            ).fetchone()
        return self.get(row[0]) if row else None

    def held(self) -> list[bytes]:
        """Return the short digests of the bundles used last, newest first."""
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT digest FROM bundles ORDER BY used_at DESC, rowid DESC LIMIT ?", (HELD_MAX,)
            ).fetchall()
        return [delta.short(digest) for (digest,) in rows]

    def manifests(self, digest: bytes) -> list[dict[str, Any]]:
        """Return the manifests in a bundle; KeyError if it is not held. Blocks: call it in a thread."""
        data = self.get(digest)
        if data is None:
            raise KeyError(digest.hex())
        manifests: list[dict[str, Any]] = msgpack.unpackb(data, raw=False)
        return manifests

    def manifests_of(self, short_digest: bytes) -> list[dict[str, Any]]:
        """Return the manifests in the bundle with this short digest; KeyError if it is not held. Blocks."""
        data = self.by_short(short_digest)
        if data is None:
            raise KeyError(short_digest.hex())
        manifests: list[dict[str, Any]] = msgpack.unpackb(data, raw=False)
        return manifests

    def prepare(self, data: bytes) -> tuple[bytes, bytes, int, int]:
        """Return the row of a bundle, to be stored with its record in one transaction."""
        return delta.digest(data), delta.compress_fast(data), len(data), time.time_ns() // 1_000_000

    def put(self, data: bytes) -> None:
        """Hold a bundle that no record names."""
        row = self.prepare(data)
        with self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO bundles VALUES (?, ?, ?, ?)", row)

    def evict(self) -> int:
        """Drop what no application names, oldest first, down to the bounds; return how many went.

        What a history names (`kept`) has a bound of its own, far beyond what histories need: a full disk would
        stop more than a rollback.
        """
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT digest, length(frame), substr(digest, 1, ?) IN (SELECT digest FROM kept) FROM bundles"
                " WHERE digest NOT IN (SELECT digest FROM desired WHERE digest IS NOT NULL)"
                " AND digest NOT IN (SELECT digest FROM rendered)"
                " ORDER BY used_at DESC, rowid DESC",
                (delta.SHORT_DIGEST_BYTES,),
            ).fetchall()
            left, doomed = {False: self._unused_max_bytes, True: self._kept_max_bytes}, []
            for digest, size, is_kept in rows:
                left[bool(is_kept)] -= size
                if left[bool(is_kept)] < 0:
                    doomed.append((digest,))
            connection.executemany("DELETE FROM bundles WHERE digest = ?", doomed)
            connection.executemany("DELETE FROM archive WHERE digest = ?", doomed)
        return len(doomed)
