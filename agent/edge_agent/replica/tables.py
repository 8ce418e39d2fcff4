"""The tables of the file, and the checksum that each row carries.

SQLite has none: a bit that flips inside a value is read back as another value. A row is believed only while its checksum, over its
table's name and all its columns, holds. Bundles need none, since they are named by their digest.
"""

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgpack

SCHEMA_VERSION = 2
SCHEMA_KEY = "schema"
# In `meta` as well: a version by which rows are believed must not be one flipped bit away from another.
SUM_BYTES = 8
DIGEST_BYTES = 32

Values = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose rows carry a checksum in their last column, `sum`. The first column is the key."""

    name: str
    columns: tuple[str, ...]
    sql: str

    def sum(self, values: Sequence[Any]) -> bytes:
        """Return the checksum of a row."""
        packed: bytes = msgpack.packb([self.name, *map(_plain, values)], use_bin_type=True)
        return hashlib.sha256(packed).digest()[:SUM_BYTES]

    def put(self, connection: sqlite3.Connection, *values: Any) -> None:
        """Write a row in place of the one with its key."""
        marks = ", ".join("?" * (len(values) + 1))
        connection.execute(
            f"INSERT OR REPLACE INTO {self.name} VALUES ({marks})",  # noqa: S608 a name of ours
            (*values, self.sum(values)),
        )

    def look(
        self, connection: sqlite3.Connection, rest: str = "", arguments: Sequence[Any] = ()
    ) -> Iterator[tuple[Values | None, bytes]]:
        """Yield rows with their keys' bytes; None in place of one whose checksum doesn't hold."""
        wanted = ", ".join(self.columns)
        rows = connection.execute(
            f"SELECT {wanted}, sum, CAST({self.columns[0]} AS BLOB) FROM {self.name} {rest}",  # noqa: S608
            arguments,
        )
        for *values, found, key in rows:
            yield (tuple(values) if self.sum(values) == found else None), key

    def drop(self, connection: sqlite3.Connection, keys: Sequence[bytes]) -> None:
        """Delete rows by their keys' bytes, which may be no text any more."""
        connection.executemany(
            f"DELETE FROM {self.name} WHERE CAST({self.columns[0]} AS BLOB) = ?",  # noqa: S608
            [(key,) for key in keys],
        )


META = Table(
    "meta",
    ("key", "value"),
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value, sum BLOB NOT NULL) WITHOUT ROWID",
)
_RECORDS = (
    "(app TEXT PRIMARY KEY, epoch INTEGER NOT NULL, counter INTEGER NOT NULL, digest BLOB,"
    " record BLOB NOT NULL, sum BLOB NOT NULL) WITHOUT ROWID"
)
_RECORD = ("app", "epoch", "counter", "digest", "record")
DESIRED = Table("desired", _RECORD, f"CREATE TABLE desired {_RECORDS}")
TWIN = Table("desired_twin", _RECORD, f"CREATE TABLE desired_twin {_RECORDS}")
# Every record again, on other pages: one that is damaged costs an offline site nothing.
PROGRESS = Table(
    "progress",
    ("app", "value"),
    "CREATE TABLE progress (app TEXT PRIMARY KEY, value BLOB NOT NULL, sum BLOB NOT NULL) WITHOUT ROWID",
)
CORE = Table(
    "core",
    ("app", "value"),
    "CREATE TABLE core (app TEXT PRIMARY KEY, value BLOB NOT NULL, sum BLOB NOT NULL) WITHOUT ROWID",
)
JOURNAL = Table(
    "journal",
    ("seq", "last_seq", "at_ms", "kind", "routine", "entry"),
    "CREATE TABLE journal (seq INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
    " kind TEXT NOT NULL, routine INTEGER NOT NULL, entry BLOB NOT NULL, sum BLOB NOT NULL)",
)
RENDERED = Table(
    "rendered",
    ("app", "revision", "digest", "value"),
    "CREATE TABLE rendered (app TEXT PRIMARY KEY, revision TEXT NOT NULL, digest BLOB NOT NULL, value BLOB NOT NULL,"
    " sum BLOB NOT NULL) WITHOUT ROWID",
)
ARCHIVE = Table(
    "archive",
    ("identity", "digest", "value"),
    "CREATE TABLE archive (identity TEXT PRIMARY KEY, digest BLOB NOT NULL, value BLOB NOT NULL, sum BLOB NOT NULL)"
    " WITHOUT ROWID",
)
HOLDS = Table(
    "holds",
    ("key", "value"),
    "CREATE TABLE holds (key TEXT PRIMARY KEY, value BLOB NOT NULL, sum BLOB NOT NULL) WITHOUT ROWID",
)
SUMMED = (META, DESIRED, TWIN, CORE, PROGRESS, RENDERED, ARCHIVE, HOLDS, JOURNAL)
BUNDLES_SQL = (
    "CREATE TABLE bundles ( digest BLOB PRIMARY KEY, frame BLOB NOT NULL, size INTEGER NOT NULL,"
    " used_at INTEGER NOT NULL )"
)


def needed_bundles(packed: bytes) -> list[bytes]:
    """Return the short digests in a row of `progress` or `core`: [number, value, short digests]."""
    _, _, bundles = msgpack.unpackb(packed, raw=False, strict_map_key=False)
    return list(bundles)


def by_prefix(digest: bytes) -> tuple[bytes, bytes]:
    """Return between which digests those lie that begin like this one."""
    return digest, digest + b"\xff" * (DIGEST_BYTES - len(digest))


def create(connection: sqlite3.Connection, *, bundles: bool = True) -> None:
    """Make the tables, in the transaction that is open."""
    for table in SUMMED:
        connection.execute(table.sql)
    if bundles:
        connection.execute(BUNDLES_SQL)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    META.put(connection, SCHEMA_KEY, SCHEMA_VERSION)


def differs(connection: sqlite3.Connection) -> str:
    """Return which table is not as it was made; empty: all are. A bit that flips in its text may change what it means."""
    there = {
        name: " ".join(str(sql).split())
        for name, sql in connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
    }
    wanted = {table.name: table.sql for table in SUMMED} | {"bundles": BUNDLES_SQL}
    return next((name for name, sql in wanted.items() if there.get(name) != sql), "")


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value
