"""What a pool's renderer and the hub's gateway say to one another: requests on `pool.<pool>.gateway.<verb>`, answered to the inbox.

The renderer asks, always: it has no right to hear anything else. What it waits for (its turn, a change of a table, a request from the
hub) is the late answer to one question, `turn`, which it asks without end. Each message says which run of which process sent it,
since of several renderers one works at a time.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from outrider import codec, delta
from outrider.codec import MalformedMessage, Message

SOURCES, REPOSITORIES, RENDERINGS = "sources", "repositories", "renderings"
# The tables: what of a bucket is the pool's own.
WAIT_S = 10.0
# The gateway answers `turn` at the latest then, though nothing has happened. So it is also how often a renderer is heard of.
ANSWERED_WITHIN_S = WAIT_S + 10.0
# Longer than that, and the gateway is gone.
CHUNK_MAX_BYTES = 128 << 10
# A bundle travels in parts: one that is lost costs no more than itself.
KEY_MAX_CHARS = 64
RUN_BYTES = 8
# What tells one run of one process from all others.
ENTRIES_MAX = 1024
# Keys that one request may name.
UNPACKED_MAX_BYTES = 8 << 20


@dataclass(frozen=True)
class TableRequest(Message):
    """`table`: what is there beyond revision `after`?"""

    run: bytes
    table: str
    after: int = 0


@dataclass(frozen=True)
class TableAnswer(Message):
    """Entries in the order of their revisions, `packed`: [[key, revision, value], …]; `digest` is over all that the table has."""

    frame: bytes
    digest: bytes = b""
    more: bool = False
    # ask again: the answer had reached its limit in bytes


@dataclass(frozen=True)
class KeysRequest(Message):
    """`keys`: which keys does a table have, beyond `after` in their order? It tells what has gone."""

    run: bytes
    table: str
    after: str = ""


@dataclass(frozen=True)
class KeysAnswer(Message):
    """`packed`: [[key, revision], …]."""

    frame: bytes
    more: bool = False


@dataclass(frozen=True)
class EntriesRequest(Message):
    """`entries`: the entries of these keys, as TableAnswer; ask again for those that it has no room for."""

    run: bytes
    table: str
    keys: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class RecordWrite(Message):
    """`record`: a RenderingRecord, to be stored if it still is at revision `since`."""

    run: bytes
    key: str
    value: bytes
    since: int = 0


@dataclass(frozen=True)
class ArchiveRead(Message):
    """`archived`: what this pool has rendered before, of what has this identity."""

    run: bytes
    key: str


@dataclass(frozen=True)
class ArchiveAnswer(Message):
    """An ArchiveRecord; None: there is none."""

    value: bytes | None = None


@dataclass(frozen=True)
class ArchiveWrite(Message):
    """`archive`: an ArchiveRecord."""

    run: bytes
    key: str
    value: bytes


@dataclass(frozen=True)
class Stored(Message):
    """It is on disk at the hub."""

    revision: int = 0


@dataclass(frozen=True)
class BundleOffer(Message):
    """`offer`: is this bundle there? It would be a frame (`delta.compress`) of `total` bytes."""

    run: bytes
    digest: bytes
    total: int


@dataclass(frozen=True)
class BundleChunk(Message):
    """`chunk`: a part of an offered bundle's frame, from `offset` on."""

    run: bytes
    digest: bytes
    offset: int
    data: bytes


@dataclass(frozen=True)
class BundleState(Message):
    """Where to go on with a bundle; `is_stored`: there is no need to."""

    offset: int = 0
    is_stored: bool = False


@dataclass(frozen=True)
class TurnRequest(Message):
    """`turn`: do I work? Answered late while `works` and `digests` are right and nobody asks for anything."""

    run: bytes
    name: str
    # The same after a restart: a process takes over from its predecessor of the same name at once.
    version: str = ""
    works: bool = False
    leaves: bool = False
    # It is being stopped: another one may begin.
    digests: dict[str, bytes] = field(default_factory=dict)
    # of the tables, as the last answer told them


@dataclass(frozen=True)
class TurnAnswer(Message):
    """Whether this renderer is the one that works, and what is asked of it: [[number, verb, arguments], …]."""

    works: bool = False
    asked: list[Any] = field(default_factory=list)
    digests: dict[str, bytes] = field(default_factory=dict)
    # of the tables: one that differs from what is held is to be asked for


@dataclass(frozen=True)
class AskedAnswer(Message):
    """`answer`: to what was asked; `error` is a sentence for the person who did."""

    run: bytes
    number: int
    body: Any = None
    error: str = ""


def packed(entries: list[Any]) -> bytes:
    """Return entries as a frame."""
    return delta.compress_fast(codec.pack(entries))


def unpacked(frame: bytes) -> list[Any]:
    """Invert `packed`; MalformedMessage if it can't be."""
    try:
        data = delta.decompress(frame, max_bytes=UNPACKED_MAX_BYTES)
    except (delta.WrongBase, delta.TooLarge) as error:
        raise MalformedMessage(f"entries: {error}") from error
    entries = codec.unpack(data, max_bytes=UNPACKED_MAX_BYTES)
    if not isinstance(entries, list):
        raise MalformedMessage("entries: no list")
    return entries


def table_digest(revisions: Mapping[str, int]) -> bytes:
    """Return 8 bytes over keys and revisions: two sides that hold the same compute the same."""
    hashed = hashlib.sha256()
    for key in sorted(revisions):
        hashed.update(f"{key}\0{revisions[key]}\0".encode())
    return hashed.digest()[:8]
