"""The file that carries a cluster's desired state where no link does: the hub's sealed header, its records, their bundles, an end.

    magic, version | header | record ... | bundle part ... | end: SHA-256 of all before it

Records are sealed as they are in the stream, bundles are the object store's frames, each once, in parts, in no order. The header is
sealed by the hub and names the set of records by its digest, and records name their bundles by theirs: nothing can be mixed,
left out or added. The end is there to tell a file that was cut short or has rotted from one that was tampered with. Reading takes
any pieces as they come and holds no more than one frame.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from outrider import codec
from outrider.codec import MalformedMessage

MAGIC = b"outrider export\n"
VERSION = 1
MAX_BYTES = 2 << 30
# Far more than the set of one cluster, and what every stick can hold as one file.
FRAME_MAX_BYTES = 2 << 20
# A record may be as large as a message; a part of a bundle is smaller.
PART_MAX_BYTES = 1 << 20
RECORDS_MAX = 20_000
_LENGTH_BYTES = 4
_START = MAGIC + bytes([VERSION])


class InvalidExport(ValueError):
    """A file that is no export, or not all of one; the message says which, to go after "the file"."""


class Header(NamedTuple):
    """The header as the hub sealed it."""

    sealed: bytes


class Record(NamedTuple):
    """One application's sealed record."""

    app: str
    sealed: bytes


class BundlePart(NamedTuple):
    """A part of a bundle's frame, in order; `last`: the frame is whole."""

    digest: bytes
    data: bytes
    last: bool


class End(NamedTuple):
    """The file is whole."""

    digest: bytes


Frame = Header | Record | BundlePart | End


def record_digest(sealed: bytes) -> bytes:
    """Return the 32 bytes by which a sealed record counts in a set."""
    return hashlib.sha256(sealed).digest()


def set_digest(records: Mapping[str, bytes]) -> bytes:
    """Return 32 bytes over the digests of sealed records by application: who holds the same set computes the same."""
    hashed = hashlib.sha256()
    for app in sorted(records):
        hashed.update(hashlib.sha256(app.encode()).digest() + records[app])
    return hashed.digest()


class Writer:
    """Makes a file, piece by piece."""

    def __init__(self) -> None:
        self._hashed = hashlib.sha256()
        self.size_bytes = 0

    def start(self, sealed_header: bytes) -> bytes:
        """Return the beginning."""
        return self._said(_START + _framed(["header", sealed_header]))

    def record(self, app: str, sealed: bytes) -> bytes:
        """Return a record."""
        return self._said(_framed(["record", app, sealed]))

    def part(self, digest: bytes, data: bytes, *, last: bool) -> bytes:
        """Return a part of a bundle; the parts of one follow one another."""
        return self._said(_framed(["bundle", digest, data, last]))

    def end(self) -> bytes:
        """Return the end."""
        return self._said(_framed(["end", self._hashed.digest()]))

    def _said(self, data: bytes) -> bytes:
        self._hashed.update(data)
        self.size_bytes += len(data)
        return data


class Reader:
    """Reads a file from pieces of any size."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._hashed = hashlib.sha256()
        self._began, self._ended = False, False
        self.size_bytes = 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take in a piece; yield what is whole by it. InvalidExport."""
        self.size_bytes += len(data)
        if self.size_bytes > MAX_BYTES:
            raise InvalidExport(f"is larger than {MAX_BYTES >> 30} GiB, which no export is")
        self._rest += data
        if not self._began and not self._begin():
            return
        while (frame := self._next()) is not None:
            yield frame

    def finish(self) -> None:
        """Take in that there is no more. InvalidExport where the end is missing."""
        if not self._began and not _START.startswith(bytes(self._rest[: len(_START)])):
            raise InvalidExport("is no export of a hub")
        if not self._ended:
            raise InvalidExport(f"ends too early, after {self.size_bytes} bytes: copy it again")

    def _begin(self) -> bool:
        start = bytes(self._rest[: len(_START)])
        if not (start.startswith(MAGIC) or MAGIC.startswith(start)):
            raise InvalidExport("is no export of a hub")
        if len(start) < len(_START):
            return False
        if start != _START:
            raise InvalidExport(f"is an export of version {start[-1]}, this agent reads version {VERSION}")
        self._take(len(_START))
        self._began = True
        return True

    def _next(self) -> Frame | None:
        if self._ended and self._rest:
            raise InvalidExport("is damaged: something follows its end")
        if len(self._rest) < _LENGTH_BYTES:
            return None
        size = int.from_bytes(self._rest[:_LENGTH_BYTES], "big")
        if size > FRAME_MAX_BYTES:
            raise InvalidExport("is damaged: a part of it says that it is larger than any is")
        if len(self._rest) < _LENGTH_BYTES + size:
            return None
        before = self._hashed.copy()
        frame = _frame(self._take(_LENGTH_BYTES + size)[_LENGTH_BYTES:])
        if isinstance(frame, End):
            if frame.digest != before.digest():
                raise InvalidExport("is damaged: its contents are not those that it was made with")
            self._ended = True
        return frame

    def _take(self, size: int) -> bytes:
        taken = bytes(self._rest[:size])
        del self._rest[:size]
        self._hashed.update(taken)
        return taken


def _framed(value: list[Any]) -> bytes:
    packed = codec.pack(value)
    return len(packed).to_bytes(_LENGTH_BYTES, "big") + packed


def _frame(packed: bytes) -> Frame:
    try:
        value = codec.unpack(packed, max_bytes=FRAME_MAX_BYTES)
    except MalformedMessage as error:
        raise InvalidExport("is damaged: a part of it can't be read") from error
    match value:
        case ["header", bytes(sealed)]:
            return Header(sealed)
        case ["record", str(app), bytes(sealed)]:
            return Record(app, sealed)
        case ["bundle", bytes(digest), bytes(data), bool(last)]:
            return BundlePart(digest, data, last)
        case ["end", bytes(digest)]:
            return End(digest)
    raise InvalidExport("is damaged: a part of it is none that is known")


def parts(data: bytes, size: int = PART_MAX_BYTES) -> Iterable[tuple[bytes, bool]]:
    """Yield a frame in parts, each with whether it is the last."""
    for start in range(0, max(1, len(data)), size):
        yield data[start : start + size], start + size >= len(data)
