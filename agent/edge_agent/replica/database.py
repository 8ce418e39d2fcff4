"""The file: opened, checked, set aside when it is damaged.

WAL with `synchronous=NORMAL`: a crash of the process loses nothing; a power cut may lose the last transactions, never the
order of them, and resync brings them again. That spares the flash an fsync a commit. A damaged file is renamed and a fresh
one made: what is lost is fetched from the hub again, and the live workload is not touched by that.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import structlog

log = structlog.get_logger()

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS desired (
    app TEXT PRIMARY KEY, epoch INTEGER NOT NULL, counter INTEGER NOT NULL, digest BLOB, record BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bundles (
    digest BLOB PRIMARY KEY, frame BLOB NOT NULL, size INTEGER NOT NULL, used_at INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS progress (app TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kept (app TEXT, digest BLOB, PRIMARY KEY (app, digest)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rendered (
    app TEXT PRIMARY KEY, revision TEXT NOT NULL, digest BLOB NOT NULL, value BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS archive (
    identity TEXT PRIMARY KEY, digest BLOB NOT NULL, value BLOB NOT NULL
) WITHOUT ROWID;
"""


class ReplicaDamaged(Exception):
    """The file can't be read any more; the next start sets it aside."""


class ReplicaUnwritable(OSError):
    """Nothing was written: the disk is full, say. Try again later."""


class Database:
    """A connection that any thread may use, one at a time."""

    def __init__(self, connection: sqlite3.Connection, was_set_aside: bool) -> None:
        self._connection = connection
        self._lock = threading.RLock()
        self.was_set_aside = was_set_aside
        # The replica is empty because the one before was damaged: said in the agent's conditions.

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing. ReplicaDamaged when the file can't be used."""
        with self._lock:
            try:
                with self._connection:
                    yield self._connection
            except sqlite3.OperationalError as error:
                raise ReplicaUnwritable(str(error)) from error
            except sqlite3.DatabaseError as error:
                raise ReplicaDamaged(str(error)) from error

    def meta(self, key: str, default: int = 0) -> int:
        """Return a stored number."""
        with self.transaction() as connection:
            row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return int(row[0]) if row else default

    def set_meta(self, key: str, value: int) -> None:
        """Store a number."""
        with self.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()


@contextmanager
def opened(path: Path) -> Iterator[Database]:
    """Open the replica, or set a damaged one aside and begin an empty one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    set_aside = False
    try:
        connection = _open(path)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        _set_aside(path, str(error))
        set_aside = True
        connection = _open(path)
    database = Database(connection, set_aside)
    try:
        yield database
    finally:
        database.close()


def _open(path: Path) -> sqlite3.Connection:
    # The file holds manifests, Secrets among them: its owner alone may read it.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
    connection = sqlite3.connect(path, check_same_thread=False, timeout=5)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        # Measured: the default cache of 2 MB buys an agent nothing.
        connection.execute("PRAGMA cache_size = -256")
        _check(connection)
        connection.executescript(_SCHEMA)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection) -> None:
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version not in (0, SCHEMA_VERSION):
        raise sqlite3.DatabaseError(f"schema version {version}, this agent knows {SCHEMA_VERSION}")


def _set_aside(path: Path, reason: str) -> None:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    log.error("replica damaged, set aside", path=str(path), reason=reason)
    for suffix in ("", "-wal", "-shm"):
        file = path.with_name(path.name + suffix)
        if file.exists():
            file.replace(path.with_name(f"{path.name}.damaged-{stamp}{suffix}"))
