"""What SQLite writes: counted in pages, from the headers of its write-ahead log.

Each commit appends frames to the log, each checkpoint copies the newest frame of every page into the file. Both are counted, so
that the number is what goes to the file system, whatever of it stays in the file; what the file system writes for itself comes on
top. The headers also tell what a start has lost: a commit that the log names and SQLite did not take over was damaged on the
medium. (SQLite, "WAL-mode File Format".)
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

PAGE_BYTES = 4096
_HEADER_BYTES = 32
_MAGIC_BIG_ENDIAN = (0x377F0683).to_bytes(4)
_FRAME_HEADER_BYTES = 24
RESERVED_BYTES = _HEADER_BYTES + 16 * (_FRAME_HEADER_BYTES + PAGE_BYTES)
# 64 KiB: several times what one bundle's end takes.
Read = Callable[[int, int], bytes]
FRAME_BYTES = _FRAME_HEADER_BYTES + PAGE_BYTES


class Frame(NamedTuple):
    """The header of one page in the log. `commit`: pages in the file after it; 0: its transaction goes on."""

    page: int
    commit: int


@dataclass
class Wal:
    """The log of one file, as far as it was looked at."""

    path: Path
    pages: set[int] = field(default_factory=set)
    """Not in the file yet."""
    owed_bytes: int = 0
    """Written, and not taken into account by anyone yet."""
    _salt: bytes = b""
    _count: int = 0
    # frames up to the last commit

    @property
    def frames(self) -> int:
        """How many it holds that are not in the file."""
        return self._count if self.pages else 0

    @property
    def checkpoint_bytes(self) -> int:
        """What a checkpoint is going to write."""
        return len(self.pages) * PAGE_BYTES

    @property
    def free_bytes(self) -> int:
        """What can be written to it before it takes more of the disk."""
        try:
            size_bytes = self.path.stat().st_size
        except OSError:
            return 0
        return size_bytes - _HEADER_BYTES - self.frames * FRAME_BYTES

    def begin(self) -> None:
        """Take in another file, with what its log holds from before."""
        self._salt = b""
        self.pages.clear()
        self.look()

    def reserve(self) -> None:
        """Have the log take from the disk what frees room when there is none."""
        with suppress(OSError):
            handle = os.open(self.path, os.O_RDWR)
            try:
                os.posix_fallocate(handle, 0, RESERVED_BYTES)
            finally:
                os.close(handle)

    def look(self) -> None:
        """Take in what was committed since the last look."""
        written = done = 0
        with _reading(self.path) as read:
            salt = read(16, 8)
            if salt != self._salt:
                self._salt, self._count = salt, 0
                self.pages.clear()
            for frame in _frames(read, salt, self._count):
                written += FRAME_BYTES
                self.pages.add(frame.page)
                if frame.commit:
                    done = written // FRAME_BYTES
        # What follows the last commit was rolled back: the next one is written over it.
        self._count += done
        self.owed_bytes += written

    def checkpointed(self) -> None:
        """Take in that all is in the file."""
        self.owed_bytes += len(self.pages) * PAGE_BYTES
        self.pages.clear()

    def claim(self) -> int:
        """Return what was written since the last claim."""
        owed, self.owed_bytes = self.owed_bytes, 0
        return owed


def commits(path: Path) -> int:
    """Return the number of the last frame that ends a transaction, by the headers alone; 0: there is none."""
    with _reading(path) as read:
        header = read(0, _HEADER_BYTES)
        # A header that holds says which frames are of now: it may have been written a moment before the first of them. One that
        # is damaged says nothing, and they do.
        salt = header[16:24] if _holds(header) else read(_HEADER_BYTES + 8, 8)
        numbered = enumerate(_frames(read, salt, 0), start=1)
        return max((number for number, frame in numbered if frame.commit), default=0)


@contextmanager
def _reading(path: Path) -> Iterator[Read]:
    """Give the file's bytes by offset and length; none where there is no file. No lock is on it that closing it would drop."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        yield lambda _offset, _length: b""
        return
    try:
        yield lambda offset, length: os.pread(handle, length, offset)
    finally:
        os.close(handle)


def _holds(header: bytes) -> bool:
    """Say whether the log's header has its checksum."""
    order: Literal["little", "big"] = "big" if header[:4] == _MAGIC_BIG_ENDIAN else "little"
    first = second = 0
    for at in range(0, 24, 8):
        first = (first + int.from_bytes(header[at : at + 4], order) + second) & 0xFFFFFFFF
        second = (second + int.from_bytes(header[at + 4 : at + 8], order) + first) & 0xFFFFFFFF
    return header[24:] == first.to_bytes(4) + second.to_bytes(4)


def _frames(read: Read, salt: bytes, after: int) -> Iterator[Frame]:
    while salt:
        found = read(_HEADER_BYTES + after * FRAME_BYTES, _FRAME_HEADER_BYTES)
        if len(found) < _FRAME_HEADER_BYTES or found[8:16] != salt:
            return
        yield Frame(int.from_bytes(found[:4]), int.from_bytes(found[4:8]))
        after += 1
