"""Where the replica lives: in its file, in memory with what a file holds that can't be written to, or in memory alone.

It moves into memory when no file can be used, and back as soon as one can.
"""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

import structlog

from edge_agent.replica import file
from edge_agent.replica.errors import SQLITE_ERRORS, ReplicaDamaged, ReplicaUnwritable
from edge_agent.replica.losses import Loss
from edge_agent.replica.salvage import fill
from edge_agent.replica.wal import Wal, commits

log = structlog.get_logger()

Where = Literal["file", "copy", "memory"]
"""`copy`: what it holds is in a file that can't be written to, and what is written is refused, since a restart would begin with that."""

REBUILDS_MAX = 3
REBUILDS_WITHIN_S = 3600.0
# A medium that loses what is written to it is not written to for ever.
RETURN_AFTER_S = 5.0
RETURN_AFTER_MAX_S = 300.0


class Home:
    """The connection, and what is below it. Not for two threads at a time."""

    def __init__(
        self, path: Path, note: Callable[[Loss], None], now_s: Callable[[], float] = time.monotonic
    ) -> None:
        """`now_s`: any clock that only goes forward."""
        self.path, self._note, self._now_s = path, note, now_s
        self.wal = Wal(path.with_name(f"{path.name}-wal"))
        self.where: Where = "memory"
        self.why = ""
        # why it isn't in its file
        self.connection: sqlite3.Connection = file.in_memory()
        self._rebuilt_at_s: list[float] = []
        self._return_at_s = 0.0
        self._pause_s = RETURN_AFTER_S
        self._identity: tuple[int, int] = (0, 0)

    @property
    def size_bytes(self) -> int:
        """What the file takes, its log included."""
        return _size(self.path) + _size(self.wal.path)

    def open(self) -> None:
        """Open the file, or do without."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._open_file()
        except ReplicaDamaged as error:
            self.rebuild(str(error))
        except OSError as error:
            self._do_without(str(error))

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def rebuild(self, why: str) -> None:
        """Do without what is damaged: in a file that is made of what still holds, or in memory."""
        self.connection.close()
        now_s = self._now_s()
        self._rebuilt_at_s = [at_s for at_s in self._rebuilt_at_s if now_s - at_s < REBUILDS_WITHIN_S]
        newest = True
        try:
            if len(self._rebuilt_at_s) >= REBUILDS_MAX:
                self._pause_s = REBUILDS_WITHIN_S
                raise ReplicaUnwritable(f"it was damaged {REBUILDS_MAX} times within an hour, last: {why}")
            newest = file.rebuild(self.path, why)
            self._open_file()
            self.wal.owed_bytes += self.path.stat().st_size
        except OSError as error:
            self._do_without(str(error), damaged=True)
        self._rebuilt_at_s.append(now_s)
        self._note(Loss("file", why=why))
        if not newest:
            self._note(Loss("newest", why=why))

    def is_there(self) -> bool:
        """Say whether the file that is open still is the one at its path."""
        return self.where != "file" or self._identity == _identity(self.path)

    def remake(self) -> None:
        """Write the file again: its name leads to nothing, or to another one. Nothing is lost. ReplicaUnwritable."""
        self._make("another file was in its place")

    def go_back(self) -> bool:
        """Try to live in the file again, not too often; say whether that is so."""
        if self.where == "file":
            return True
        if self._now_s() < self._return_at_s:
            return False
        try:
            self._go_back()
        except OSError as error:
            self._later(str(error))
            return False
        log.info("replica in its file again", path=str(self.path))
        return True

    def return_in_s(self) -> float | None:
        """Return when to try that next; None: it is there."""
        return None if self.where == "file" else max(0.0, self._return_at_s - self._now_s())

    def _open_file(self) -> None:
        known = commits(self.wal.path)
        connection = file.open_file(self.path)
        self.connection.close()
        self.connection, self.where, self.why = connection, "file", ""
        self._identity, self._pause_s = _identity(self.path), RETURN_AFTER_S
        self.wal.begin()
        self.wal.reserve()
        with suppress(*SQLITE_ERRORS):
            # On a full disk: it says so when something is to be written.
            _, taken_over, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            self.wal.checkpointed()
            if known > taken_over:
                self._note(Loss("newest", why="the end of its log was damaged"))

    def _make(self, why: str) -> None:
        def content(target: sqlite3.Connection) -> None:
            fill(target, self.connection, damaged=False)

        file.make(self.path, content)
        self.connection.close()
        file.put_in_place(self.path, why)
        self._open_file()
        self.wal.owed_bytes += self.path.stat().st_size

    def _go_back(self) -> None:
        if self.where == "memory":
            self._make(self.why)
            return
        try:
            self._open_file()
        except ReplicaDamaged as error:
            self.rebuild(str(error))

    def _do_without(self, why: str, *, damaged: bool = False) -> None:
        memory = file.in_memory()
        self.where = "memory"
        if os.path.lexists(self.path):
            with suppress(ReplicaDamaged), memory:
                file.fill_from(self.path, memory, damaged=damaged)
                self.where = "memory" if damaged else "copy"
        self.connection = memory
        self._later(why)
        log.error("replica not in a file", where=self.where, path=str(self.path), reason=why)

    def _later(self, why: str) -> None:
        self.why = why
        self._return_at_s = self._now_s() + self._pause_s
        self._pause_s = min(2 * self._pause_s, RETURN_AFTER_MAX_S)


def _identity(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return found.st_dev, found.st_ino


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
