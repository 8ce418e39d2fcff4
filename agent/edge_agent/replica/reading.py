"""Ways to read a file that is damaged, or can't be written to: each a worse one than the one before.

In place; from a copy whose beginning is restored, with its log applied; from one whose first page, which says where the tables are,
is that of a file just made; and in place without its log, as of its last checkpoint. What is read is believed by its checksums.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import structlog

from edge_agent.replica import first_page, tables
from edge_agent.replica.errors import SQLITE_ERRORS

log = structlog.get_logger()

VALUE_MAX_BYTES = 128 << 20
# Far above any bundle: a length that is damaged is not believed.
COPY_MAX_BYTES = 64 << 20
# A larger file is read in place.


@contextmanager
def readable(path: Path, *, damaged: bool) -> Iterator[tuple[sqlite3.Connection, bool]]:
    """Open a file to read what it holds, and say whether that is the newest of it. sqlite3.Error, OSError: nothing can be read."""
    ways = (_in_place, _copied, _with_tables_as_made, _without_log)
    with ExitStack() as stack:
        for way in ways:
            is_last = way is ways[-1]
            try:
                connection = way(path, stack)
                table = tables.differs(connection) if damaged else ""
            except (*SQLITE_ERRORS, OSError) as error:
                if is_last:
                    raise
                log.info("replica not read", path=str(path), how=way.__name__.strip("_"), reason=str(error))
                continue
            if is_last or not table:
                yield connection, not is_last
                return


def _in_place(path: Path, stack: ExitStack) -> sqlite3.Connection:
    return _opened(f"{path.absolute().as_uri()}?mode=rw", stack)


def _copied(path: Path, stack: ExitStack) -> sqlite3.Connection:
    copy = _copy(path, stack)
    first_page.restore_constants(copy)
    return _opened(copy.as_uri(), stack)


def _with_tables_as_made(path: Path, stack: ExitStack) -> sqlite3.Connection:
    copy = _copy(path, stack)
    # What its log says of the first page would undo this.
    copy.with_name(f"{copy.name}-wal").unlink(missing_ok=True)
    made = copy.with_name("made")
    with closing(sqlite3.connect(made)) as connection, connection:
        connection.execute("PRAGMA page_size = 4096")
        tables.create(connection)
    first_page.replace(copy, made)
    return _opened(copy.as_uri(), stack)


def _without_log(path: Path, stack: ExitStack) -> sqlite3.Connection:
    return _opened(f"{path.absolute().as_uri()}?mode=ro&immutable=1", stack)


def _copy(path: Path, stack: ExitStack) -> Path:
    if path.stat().st_size > COPY_MAX_BYTES:
        raise OSError("too large for a copy")
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="outrider-", ignore_cleanup_errors=True))
    copy = Path(folder) / "replica"
    shutil.copyfile(path, copy)
    log_file = path.with_name(f"{path.name}-wal")
    if log_file.exists():
        shutil.copyfile(log_file, copy.with_name(f"{copy.name}-wal"))
    return copy


def _opened(uri: str, stack: ExitStack) -> sqlite3.Connection:
    connection = stack.enter_context(closing(sqlite3.connect(uri, uri=True, timeout=1)))
    connection.text_factory = as_text
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, VALUE_MAX_BYTES)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return connection


def as_text(data: bytes) -> str:
    """Read text that may be damaged: its checksum tells."""
    return data.decode(errors="replace")
