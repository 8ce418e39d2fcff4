"""The file: made whole or not at all, opened, checked, and replaced by what is left of it.

WAL with `synchronous=NORMAL`: a crash of the process loses nothing. A power cut may lose the last transactions, never the order of
them, but for those that are marked durable, which wait for the medium. Others may read it meanwhile; that only one agent writes it
is seen to by the lock on its folder (`edge_agent.local.place`).
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge_agent.replica import copies, first_page, old_schema, tables
from edge_agent.replica.errors import SQLITE_ERRORS, ReplicaDamaged, ReplicaUnwritable, fault
from edge_agent.replica.reading import VALUE_MAX_BYTES, as_text, readable
from edge_agent.replica.salvage import fill

Fill = Callable[[sqlite3.Connection], None]

LOG_KEPT_BYTES = 1 << 20
# The log is used again and again; a transaction that was larger gives the rest back.
BUSY_TIMEOUT_S = 5.0


def open_file(path: Path) -> sqlite3.Connection:
    """Open the replica, or make an empty one. ReplicaDamaged, ReplicaUnwritable."""
    _adopt(path)
    if not os.path.lexists(path):
        make(path, lambda _: None)
        put_in_place(path)
    try:
        # It holds manifests, Secrets among them: no link leads elsewhere, and its owner alone may read it.
        os.close(os.open(path, os.O_RDWR | os.O_NOFOLLOW))
    except OSError as error:
        if path.is_symlink() or path.is_dir():
            raise ReplicaDamaged(f"{path} is no file") from error
        raise ReplicaUnwritable(str(error)) from error
    if path.stat().st_size == 0:
        raise ReplicaDamaged("it is empty")
    if not first_page.is_sound(path):
        raise ReplicaDamaged("it begins as no replica does")
    with _told_apart():
        return _open(path)


def make(path: Path, content: Fill) -> None:
    """Make a file beside `path`, complete with what `content` puts into it. ReplicaUnwritable."""
    new = _new(path)
    copies.remove(new)
    try:
        os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        with _told_apart():
            _make(new, content)
        if _log_of(new).exists():
            raise ReplicaUnwritable("what was written could not be moved into the file")
        _sync(new, os.O_RDWR)
    except OSError as error:
        copies.remove(new)
        raise error if isinstance(error, ReplicaUnwritable) else ReplicaUnwritable(str(error)) from error


def put_in_place(path: Path, why: str = "") -> None:
    """Put the file that was made in the place of `path`; what is there is set aside."""
    if os.path.lexists(path):
        copies.set_aside(path, why)
    _move(path)


def rebuild(path: Path, why: str) -> bool:
    """Replace a damaged file by one with what still holds in it; return False where that is older than what was there.

    Killed in between, the next start finds the damaged file, or the one that was made.
    """
    newest = True

    def content(target: sqlite3.Connection) -> None:
        nonlocal newest
        with suppress(ReplicaDamaged):
            newest = fill_from(path, target, damaged=True)

    make(path, content)
    put_in_place(path, why)
    return newest


def fill_from(path: Path, target: sqlite3.Connection, *, damaged: bool) -> bool:
    """Copy what holds in a file; return whether that is the newest of it. ReplicaDamaged where nothing can be read."""
    try:
        with readable(path, damaged=damaged) as (source, newest):
            return not fill(target, source, damaged=damaged) or newest
    except (*SQLITE_ERRORS, OSError) as error:
        raise ReplicaDamaged(f"nothing of it can be read: {error}") from error


def in_memory() -> sqlite3.Connection:
    """Return an empty replica that lasts as long as the process."""
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.text_factory = as_text
    with connection:
        tables.create(connection)
    return connection


def _open(path: Path) -> sqlite3.Connection:
    try:
        connection = _connect(path)
    except sqlite3.OperationalError as error:
        if fault(error) != "unwritable":
            raise
        # On a full disk there is no room for the memory that SQLite shares with readers: do without them.
        connection = _connect(path, exclusive=True)
    try:
        _check(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection) -> None:
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise ReplicaDamaged(verdict)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == old_schema.VERSION:
        old_schema.upgrade(connection)
    elif version != tables.SCHEMA_VERSION:
        raise ReplicaDamaged(f"its schema is version {version}, this agent knows {tables.SCHEMA_VERSION}")
    if table := tables.differs(connection):
        raise ReplicaDamaged(f"its table {table} is not as it was made")


def _connect(path: Path, *, exclusive: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False, timeout=BUSY_TIMEOUT_S)
    connection.text_factory = as_text
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, VALUE_MAX_BYTES)
    try:
        for pragma in (
            "page_size = 4096",
            f"locking_mode = {'EXCLUSIVE' if exclusive else 'NORMAL'}",
            "journal_mode = WAL",
            "synchronous = NORMAL",
            # Measured: the default cache of 2 MB buys an agent nothing.
            "cache_size = -256",
            "temp_store = MEMORY",
            "cell_size_check = ON",
            "trusted_schema = OFF",
            # Not a page more is written to wipe what was freed.
            "secure_delete = FAST",
            # Who counts what is written says when.
            "wal_autocheckpoint = 0",
            f"journal_size_limit = {LOG_KEPT_BYTES}",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _make(new: Path, content: Fill) -> None:
    connection = _connect(new, exclusive=True)
    try:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            tables.create(connection)
            content(connection)
    finally:
        connection.close()


@contextmanager
def _told_apart() -> Iterator[None]:
    try:
        yield
    except SQLITE_ERRORS as error:
        match fault(error):
            case "damaged":
                raise ReplicaDamaged(str(error)) from error
            case "unwritable":
                raise ReplicaUnwritable(str(error)) from error
            case "busy":
                raise ReplicaUnwritable(f"somebody else has it open: {error}") from error
        raise


def _adopt(path: Path) -> None:
    """Finish what a kill cut off: a file that was made, and whose forerunner was set aside, takes its place."""
    new = _new(path)
    if os.path.lexists(path):
        copies.remove(new)
    elif new.exists() and not _log_of(new).exists():
        _move(path)
    elif _log_of(path).exists():
        raise ReplicaDamaged("it is gone, and its log is there")


def _move(path: Path) -> None:
    # A log of the file that was there before would be taken for its own.
    copies.remove(path)
    try:
        _new(path).replace(path)
        _sync(path.parent, os.O_RDONLY)
    except OSError as error:
        raise ReplicaUnwritable(str(error)) from error


def _sync(path: Path, mode: int) -> None:
    handle = os.open(path, mode)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _new(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")
