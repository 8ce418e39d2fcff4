"""The replica's transactions, whatever becomes of the file below.

- **Damage** that a read or a write meets has the file set aside and another one made of what still holds in it; the read goes on
  there, and the write is tried again.
- **A full disk** fails a write; set-aside files and unused bundles make room first.
- **What is lost** is dropped, never believed, and told in `losses` to whoever looks after the replica (`edge_agent.upkeep`).

A read never fails. A write that fails has changed nothing (`ReplicaUnwritable`).
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import structlog

from edge_agent.replica import copies
from edge_agent.replica.errors import SQLITE_ERRORS, ReplicaDamaged, ReplicaUnwritable, fault
from edge_agent.replica.home import REBUILDS_MAX, Home
from edge_agent.replica.losses import Loss, Losses, What
from edge_agent.replica.room import frames_max, lacking_bytes
from edge_agent.replica.tables import (
    ARCHIVE,
    CORE,
    DESIRED,
    HOLDS,
    JOURNAL,
    META,
    PROGRESS,
    RENDERED,
    TWIN,
    Table,
    Values,
)
from edge_agent.replica.trouble import Trouble
from edge_agent.replica.writes import Writes

log = structlog.get_logger()

T = TypeVar("T")

LOG_FRAMES_MAX = 128
# 512 KiB: then the log is moved into the file, and begun anew.
LOG_FRAMES_SHORT = 16
LOG_SHORT_BYTES = 80 << 10
# On a disk with little room.
MOVE_AFTER_S = 2.0
# What must not be lost is in the log alone for so long; what follows meanwhile, on the same pages, is moved with it, and flash wears less.
_WHAT: dict[str, What] = {
    META.name: "numbers",
    DESIRED.name: "copy",
    TWIN.name: "copy",
    PROGRESS.name: "progress",
    CORE.name: "core",
    RENDERED.name: "rendering",
    ARCHIVE.name: "archive",
    HOLDS.name: "hold",
    JOURNAL.name: "journal",
}
_DAY, _BYTES = "written_day", "written_bytes"


class Database:
    """What any thread may use, one at a time."""

    def __init__(
        self,
        path: Path,
        *,
        writes: Writes | None = None,
        clock: Callable[[], float] = time.time,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock`: Unix time in seconds; `now_s`: any clock that only goes forward."""
        self._lock = threading.RLock()
        self._clock, self._now_s = clock, now_s
        self.writes = writes or Writes()
        self._losses = Losses()
        self.observers = self._losses.observers
        self.gatherers: list[Callable[[], None]] = []
        # Write what they have gathered.
        self.evictors: list[Callable[[], None]] = []
        # Drop what can be had again.
        self.on_news: Callable[[], None] = _nobody
        # There is something to look after; from any thread.
        self._trouble = Trouble()
        self._move_at_s: float | None = None
        # when what must not be lost goes from the log into the file; None: it is there
        self._home = Home(path, self.lost, now_s)
        self._home.open()
        # Those with a damaged key are met by no other read.
        self.rows(META)
        self.writes.recall(self.meta(_DAY), self.meta(_BYTES), clock())
        self._count()

    @property
    def keeps(self) -> bool:
        """Whether what is written is there after a restart."""
        return self._home.where == "file"

    @property
    def trouble(self) -> str:
        """Why nothing can be written to the file; empty: the last write went well."""
        return self._trouble.why if self.keeps else self._home.why

    @property
    def is_sparing(self) -> bool:
        """Whether routine writes are to be gathered: the day's budget is spent."""
        return self.writes.is_spent(self._clock())

    @property
    def size_bytes(self) -> int:
        """What the file takes, its log included."""
        return self._home.size_bytes

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Read; from what is left of it, where the file is found damaged."""
        with self._lock:
            for _ in range(REBUILDS_MAX + 2):
                try:
                    return work(self._home.connection)
                except SQLITE_ERRORS as error:
                    if fault(error) in ("bug", "busy"):
                        raise
                    self._home.rebuild(str(error))
            raise RuntimeError("what is in memory can't be read")

    def rows(self, table: Table, rest: str = "", arguments: Sequence[Any] = ()) -> list[Values]:
        """Return the rows of a table whose checksum holds. The others are dropped, and lost."""
        found = self.read(lambda connection: list(table.look(connection, rest, arguments)))
        if bad := [key for values, key in found if values is None]:
            self.drop(table, bad)
        return [values for values, _ in found if values is not None]

    @contextmanager
    def transaction(self, *, durable: bool = False, room: int | None = 0) -> Iterator[sqlite3.Connection]:
        """All or nothing. `durable`: on the medium on return; `room`: about how many bytes are added, None: it frees some.

        ReplicaUnwritable; ReplicaDamaged where the file was found damaged, and another one is in its place.
        """
        with self._lock:
            self._prepare(room)
            try:
                with self._home.connection as connection:
                    yield connection
            except SQLITE_ERRORS as error:
                failed = self._failed(error)
                if failed is error:
                    raise
                raise failed from error
            self._committed()
            if durable:
                self.settle()
            is_first = durable and self.keeps and self._move_at_s is None
            if is_first:
                self._move_at_s = self._now_s() + MOVE_AFTER_S
        if is_first:
            self.on_news()

    def write(
        self, work: Callable[[sqlite3.Connection], T], *, durable: bool = False, room: int | None = 0
    ) -> T:
        """Do this in a transaction; again where the file was found damaged, or was full and there is more room now."""
        full = False
        for _ in range(REBUILDS_MAX + 2):
            try:
                with self.transaction(durable=durable, room=room) as connection:
                    return work(connection)
            except ReplicaDamaged:
                continue
            except ReplicaUnwritable:
                if full or room is None or not self.keeps:
                    raise
                full = True
                self._make_room()
        raise ReplicaUnwritable(f"the replica is damaged again and again: {self.trouble}")

    def drop(self, table: Table, keys: list[bytes]) -> None:
        """Drop rows that are damaged, by their keys' bytes, and take in that they are lost."""
        is_dropped = True
        try:
            self.write(lambda connection: table.drop(connection, keys), room=None)
        except ReplicaUnwritable:
            is_dropped = False
        with self._lock:
            for key in keys:
                loss = Loss(_WHAT[table.name], key.decode(errors="replace"))
                self._losses.add(loss, once=not is_dropped)
        self.on_news()

    def meta(self, key: str, default: int = 0) -> int:
        """Return a stored number; the default where there is none that holds."""
        for _, value in self.rows(META, "WHERE key = ?", (key,)):
            if isinstance(value, int):
                return value
        return default

    def set_meta(self, key: str, value: int) -> None:
        """Store a number."""
        self.write(lambda connection: META.put(connection, key, value))

    @property
    def losses(self) -> list[Loss]:
        """What was lost and is not seen to yet."""
        return self._losses.waiting

    def lost(self, loss: Loss) -> None:
        """Take in that something of it is not believed any more."""
        with self._lock:
            is_new = self._losses.add(loss)
        if is_new:
            self.on_news()

    def take_losses(self) -> list[Loss]:
        """Return what was lost since the last call."""
        with self._lock:
            return self._losses.take()

    def settle(self) -> None:
        """Have what was committed so far on the medium: a power cut loses none of it. ReplicaUnwritable."""
        with self._lock:
            if not self.keeps:
                return
            try:
                handle = os.open(self._home.wal.path, os.O_RDWR)
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)
            except FileNotFoundError:
                return
            except OSError as error:
                raise ReplicaUnwritable(str(error)) from error

    def checkpoint(self) -> None:
        """Move what the log holds into the file. What can't be moved stays in the log."""
        with self._lock:
            self._move_at_s = None
            if not self.keeps or not self._home.wal.pages:
                return
            try:
                connection = self._home.connection
                with suppress(sqlite3.OperationalError), connection:
                    self._note_written(connection, self._home.wal.checkpoint_bytes)
                self._home.wal.look()
                _, logged, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                if logged == moved:
                    self._home.wal.checkpointed()
            except SQLITE_ERRORS as error:
                self._failed(error)
            self._count()

    def look_after(self) -> float | None:
        """Do what is due: back into the file, from the log into the file, what was gathered. Return when to do so next."""
        waits_s = []
        with self._lock:
            if not self.keeps and self._home.go_back():
                self._count()
                self.on_news()
            if (return_s := self._home.return_in_s()) is not None:
                waits_s.append(return_s)
            if self._move_at_s is not None:
                if self._move_at_s <= self._now_s():
                    self.checkpoint()
                else:
                    waits_s.append(self._move_at_s - self._now_s())
            if self._trouble.why and self.keeps:
                waits_s.append(self._try_again())
        if self.writes.due_in_s(self._clock()) <= 0:
            self.write_gathered()
        if self.is_sparing:
            waits_s.append(self.writes.due_in_s(self._clock()))
        return min(waits_s, default=None)

    def write_gathered(self) -> None:
        """Write what was gathered; what can't be written stays gathered."""
        # Outside of the lock: those who gather have locks of their own, and hold them when they write.
        self.writes.gathered(self._clock())
        for write in self.gatherers:
            with suppress(ReplicaUnwritable):
                write()

    def close(self) -> None:
        """Write what was gathered, and close the file."""
        self.write_gathered()
        with self._lock:
            self.checkpoint()
            self._home.close()

    def _prepare(self, room: int | None) -> None:
        """See that there is something to write to, and that what is to be written fits. ReplicaUnwritable."""
        home = self._home
        if home.where == "copy" and not home.go_back():
            raise ReplicaUnwritable(home.why)
        if not self.keeps:
            return
        if not home.is_there():
            home.remake()
        if room is not None and self._lacking(room) and not self._make_room(room):
            # Without numbers: the hub is told, and told again of each other one.
            self._fails("the disk is full")
            raise ReplicaUnwritable("the disk is full")

    def _lacking(self, room: int) -> int:
        home = self._home
        (free_pages,) = self.read(lambda connection: connection.execute("PRAGMA freelist_count").fetchone())
        return lacking_bytes(home.path, home.wal, free_pages, room)

    def _make_room(self, room: int | None = None) -> bool:
        """Let go of what can be done without, until so many bytes fit; say whether they do."""
        drop_copies = partial(copies.drop, self._home.path)
        steps: tuple[Callable[[], object], ...] = (
            self._shrink_log, drop_copies, *self.evictors, self.checkpoint
        )  # fmt: skip
        for step in steps:
            with suppress(ReplicaUnwritable):
                step()
            if room is not None and not self._lacking(room):
                return True
        return False

    def _shrink_log(self) -> None:
        """Have the log take no more of the disk than a small one does, which it keeps: what frees room needs some."""
        self.checkpoint()
        if self._home.wal.free_bytes > LOG_SHORT_BYTES:
            with self.transaction(room=None) as connection:
                connection.execute(f"PRAGMA journal_size_limit = {LOG_SHORT_BYTES}")
                self._note_written(connection)
            self.checkpoint()

    def _committed(self) -> None:
        if not self.keeps:
            return
        self._trouble.succeeded(self._now_s())
        home = self._home
        home.wal.look()
        if home.wal.frames >= frames_max(home.path, LOG_FRAMES_MAX, LOG_FRAMES_SHORT):
            self.checkpoint()
        self._count()

    def _failed(self, error: Exception) -> Exception:
        """Return what an error means, and see to it."""
        match fault(error):
            case "bug":
                return error
            case "damaged":
                self._home.rebuild(str(error))
                return ReplicaDamaged(str(error))
        self._fails(str(error))
        return ReplicaUnwritable(str(error))

    def _fails(self, why: str) -> None:
        if self._trouble.failed(why, self._now_s()):
            log.warning("replica not written", reason=why, path=str(self._home.path))
            self.on_news()

    def _try_again(self) -> float:
        """See whether it can be written to again; return when to look next."""
        with suppress(ReplicaUnwritable), self.transaction() as connection:
            self._note_written(connection)
        if self._trouble.why:
            return self._trouble.try_again_in_s()
        self.on_news()
        return 0.0

    def _note_written(self, connection: sqlite3.Connection, ahead_bytes: int = 0) -> None:
        META.put(connection, _DAY, self.writes.day)
        META.put(connection, _BYTES, self.writes.today + ahead_bytes)

    def _count(self) -> None:
        was_sparing = self.is_sparing
        self.writes.count(self._home.wal.claim(), self._clock())
        if self.is_sparing and not was_sparing:
            log.info("writes to the replica are gathered", bytes_today=self.writes.today)
            self.on_news()


@contextmanager
def opened(path: Path, writes: Writes | None = None) -> Iterator[Database]:
    """Open the replica; a damaged one is set aside and made of what still holds."""
    database = Database(path, writes=writes)
    try:
        yield database
    finally:
        database.close()


def _nobody() -> None:
    pass
