"""What still holds in a file: read row by row, by checksum and digest, into a file that is being made.

From a damaged file, what can be read before and behind the damage. From a whole one that can't be written to, all that the agent
needs, into memory. Bundles are taken along that an application runs or that its history needs.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import structlog

from edge_agent.replica import old_schema
from edge_agent.replica.errors import SQLITE_ERRORS, ReplicaDamaged
from edge_agent.replica.tables import (
    CORE,
    DESIRED,
    META,
    PROGRESS,
    RENDERED,
    SCHEMA_VERSION,
    SUMMED,
    TWIN,
    Table,
    Values,
    by_prefix,
    needed_bundles,
)

log = structlog.get_logger()

FRONTIER = frozenset({"complete_epoch", "complete_counter", "held"})
# Of what a damaged file says, never believed: what is lost is noticed by asking for all.
COPY_MAX_BYTES = 64 << 20
# A file that can't be written to is read from a copy of it with its log applied, where there is room for one.


def fill(target: sqlite3.Connection, source: sqlite3.Connection, *, damaged: bool) -> None:
    """Copy what holds, in the transaction that is open. ReplicaDamaged for a schema that isn't known."""
    (version,) = source.execute("PRAGMA user_version").fetchone()
    rows: Iterator[tuple[Table, Values]]
    if version == SCHEMA_VERSION:
        rows = _rows(source)
    elif version == old_schema.VERSION and not damaged:
        rows = old_schema.rows(source)
    elif damaged:
        # Without checksums nothing of a damaged file can be believed.
        return
    else:
        raise ReplicaDamaged(f"its schema is version {version}, this agent knows {SCHEMA_VERSION}")
    needed: set[bytes] = set()
    for table, values in rows:
        if damaged and table is META and values[0] in FRONTIER:
            continue
        table.put(target, *values)
        if table in (DESIRED, TWIN):
            needed.add(values[3] or b"")
        elif table is RENDERED:
            needed.add(values[2])
        elif table in (CORE, PROGRESS):
            needed.update(needed_bundles(values[1]))
    for digest in sorted(needed - {b""}):
        with suppress(*SQLITE_ERRORS):
            rows = source.execute("SELECT * FROM bundles WHERE digest BETWEEN ? AND ?", by_prefix(digest))
            target.executemany("INSERT OR REPLACE INTO bundles VALUES (?, ?, ?, ?)", rows)


@contextmanager
def readable(path: Path) -> Iterator[tuple[sqlite3.Connection, bool]]:
    """Open a file to read what it holds, and say whether that is the newest of it; sqlite3.Error where nothing can be read.

    Where neither it nor a copy can be opened with its log, it is read without: as of its last checkpoint.
    """
    with tempfile.TemporaryDirectory(prefix="outrider-", ignore_cleanup_errors=True) as folder:
        for number, opened in enumerate((_in_place, _copied, _immutable)):
            try:
                connection = opened(path, Path(folder))
            except (*SQLITE_ERRORS, OSError) as error:
                if number == 2:
                    raise
                log.info(
                    "replica not read", path=str(path), how=opened.__name__.strip("_"), reason=str(error)
                )
                continue
            with closing(connection):
                yield connection, number < 2
            return


def _in_place(path: Path, folder: Path) -> sqlite3.Connection:
    return _checked(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=1))


def _copied(path: Path, folder: Path) -> sqlite3.Connection:
    if path.stat().st_size > COPY_MAX_BYTES:
        raise OSError("too large for a copy")
    copy = folder / "replica"
    shutil.copyfile(path, copy)
    wal = path.with_name(path.name + "-wal")
    if wal.exists():
        shutil.copyfile(wal, copy.with_name("replica-wal"))
    return _checked(sqlite3.connect(copy))


def _immutable(path: Path, folder: Path) -> sqlite3.Connection:
    return _checked(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True))


def _checked(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.text_factory = as_text
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def as_text(data: bytes) -> str:
    """Read text that may be damaged: its checksum tells."""
    return data.decode(errors="replace")


def _rows(source: sqlite3.Connection) -> Iterator[tuple[Table, Values]]:
    """Yield rows whose checksum holds: from the front up to the damage, then from the back."""
    for table in SUMMED:
        seen: set[bytes] = set()
        for order in ("", "DESC"):
            with suppress(*SQLITE_ERRORS):
                for values, key in table.look(source, f"ORDER BY {table.columns[0]} {order}"):
                    if values is not None and key not in seen:
                        yield table, values
                    seen.add(key)
                break
