"""Look through a received pack before it is unpacked: how many objects, and how large each becomes.

A megabyte of pack can hold a gigabyte of zeros, as a blob or as the result of a delta. Sizes stand in the pack; they are read here
with the data inflated piece by piece and thrown away, so that what is too large is never held in memory.
"""

import zlib
from typing import BinaryIO

from outrider.rendering.git.bounds import MIB, Spending
from outrider.rendering.git.errors import RepositoryTooLarge, RepositoryUnavailable

_CHUNK_BYTES = 64 * 1024
_OFS_DELTA, _REF_DELTA = 6, 7
_OBJECT_ID_BYTES = 20
_TRAILER_BYTES = 20
_DELTA_HEADER_BYTES = 20
# Two sizes of at most ten bytes each stand at the beginning of a delta.


def check_pack(file: BinaryIO, spending: Spending) -> int:
    """Return the number of objects in a pack, reading it from its start; RepositoryTooLarge if a limit is exceeded."""
    reader = _Reader(file, spending)
    try:
        return reader.check()
    except (zlib.error, IndexError, ValueError):
        raise RepositoryUnavailable(spending.url, "sent a pack that can't be read") from None


class _Reader:
    def __init__(self, file: BinaryIO, spending: Spending) -> None:
        self._file, self._spending, self._limits = file, spending, spending.limits
        self._buffer = b""
        self._at = 0
        self._unpacked_bytes = 0

    def check(self) -> int:
        header = self._take(12)
        count = int.from_bytes(header[8:12], "big")
        if header[:4] != b"PACK" or int.from_bytes(header[4:8], "big") not in {2, 3}:
            raise ValueError("no pack")
        if count > self._limits.max_objects:
            raise RepositoryTooLarge(self._spending.url, f"has more than {self._limits.max_objects} objects")
        for _ in range(count):
            self._entry()
        return count

    def _entry(self) -> None:
        self._spending.remaining_s()
        byte = self._byte()
        kind, size, shift = byte >> 4 & 7, byte & 15, 4
        while byte & 0x80:
            byte = self._byte()
            size |= (byte & 0x7F) << shift
            shift += 7
        self._check_size(size)
        if kind == _OFS_DELTA:
            while self._byte() & 0x80:
                pass
        elif kind == _REF_DELTA:
            self._take(_OBJECT_ID_BYTES)
        head = self._inflate(size)
        if kind in {_OFS_DELTA, _REF_DELTA}:
            size = _delta_result_size(head)
            self._check_size(size)
        self._unpacked_bytes += size
        if self._unpacked_bytes > self._limits.max_unpacked_bytes:
            raise RepositoryTooLarge(
                self._spending.url, f"unpacks to more than {self._limits.max_unpacked_bytes // MIB} MiB"
            )

    def _check_size(self, size: int) -> None:
        if size > self._limits.max_object_bytes:
            limit = f"{self._limits.max_object_bytes // MIB} MiB"
            raise RepositoryTooLarge(
                self._spending.url, f"holds an object of {size // MIB} MiB, more than the {limit} allowed"
            )

    def _inflate(self, size: int) -> bytes:
        """Pass over one compressed object of the given size; return its first bytes."""
        inflater = zlib.decompressobj()
        head, done = b"", 0
        while not inflater.eof:
            self._fill()
            data = inflater.decompress(self._buffer[self._at :], _CHUNK_BYTES)
            self._buffer, self._at = inflater.unconsumed_tail or inflater.unused_data, 0
            done += len(data)
            if done > size:
                raise ValueError("longer than it says")
            if len(head) < _DELTA_HEADER_BYTES:
                head += data[:_DELTA_HEADER_BYTES]
        if done != size:
            raise ValueError("shorter than it says")
        return head

    def _fill(self) -> None:
        if self._at >= len(self._buffer):
            self._buffer, self._at = self._file.read(_CHUNK_BYTES), 0
            if not self._buffer:
                raise ValueError("ends too early")

    def _byte(self) -> int:
        self._fill()
        byte = self._buffer[self._at]
        self._at += 1
        return byte

    def _take(self, size: int) -> bytes:
        return bytes(self._byte() for _ in range(size))


def _delta_result_size(head: bytes) -> int:
    sizes: list[int] = []
    at = 0
    while len(sizes) < 2:
        size, shift = 0, 0
        while True:
            byte = head[at]
            at += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        sizes.append(size)
    return sizes[1]
