"""What a renderer reads and writes, and where that is: the hub's own renderers use buckets, a pool's ask the hub's gateway for the same.

Both are asked with the same words, so that the loops in between know nothing of where they run.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from outrider.bus import Connection
from outrider.bus.buckets import Changes, Entry, KeyValue
from outrider.bus.jetstream import JetStream
from outrider.bus.objects import Objects
from outrider.topology import ARCHIVE, BUNDLES, RENDERINGS, REPOSITORIES, SOURCES


class Feed(Protocol):
    """What is read as it changes."""

    def watch(self) -> AsyncIterator[Changes]:
        """Yield what there is, then every change, for ever."""
        ...


class Written(Feed, Protocol):
    """Records that are written one at a time, each on top of what it was."""

    async def replace(self, key: str, value: bytes, revision: int) -> int:
        """Store a value if the key is still at `revision`; WrongRevision otherwise."""
        ...

    async def delete(self, key: str) -> None:
        """Delete a key."""
        ...


class Archive(Protocol):
    """What was rendered before, by all that entered it."""

    async def get(self, key: str) -> Entry:
        """Return an entry; NotFound if there is none."""
        ...

    async def put(self, key: str, value: bytes) -> int:
        """Store an entry."""
        ...


class Frames(Protocol):
    """Compressed bundles, named by the digests of what they hold."""

    async def get(self, name: str) -> bytes:
        """Return a frame; NotFound if there is none, or none that may be read here."""
        ...

    async def put(self, name: str, data: bytes) -> None:
        """Store a frame, unless it is there."""
        ...


@dataclass(frozen=True)
class Store:
    """All of it."""

    sources: Feed
    repositories: Feed
    renderings: Written
    archive: Archive
    bundles: Frames

    @classmethod
    def of_hub(cls, connection: Connection) -> "Store":
        """Return the hub's buckets and its object store."""
        js = JetStream(connection)
        return cls(
            KeyValue(js, SOURCES),
            KeyValue(js, REPOSITORIES),
            KeyValue(js, RENDERINGS),
            KeyValue(js, ARCHIVE),
            Objects(connection, BUNDLES),
        )
