"""Object stores for what is large and never changes: named by digest, written once (ADR-20, by nats-py)."""

import asyncio
from typing import NamedTuple

from nats.errors import Error as NatsError
from nats.js.errors import APIError, BucketNotFoundError, NotFoundError, ObjectNotFoundError
from nats.js.object_store import ObjectStore as Client

from outrider.bus.connection import Connection
from outrider.bus.errors import BusError, NotFound
from outrider.bus.jetstream import JetStream, Stored
from outrider.topology import ObjectStore

TIMEOUT_S = 60.0
# For a whole object.
ANSWER_S = 10.0
# For one answer of the server: what was on its way to a node that is lost gets none, and is sent again from the beginning.
BATCH = 64
# Chunks of 128 KiB asked for at once.


class Part(NamedTuple):
    """Some chunks of an object; `next_seq`: where the next ones are, 0 at its end."""

    data: bytes
    next_seq: int


class Objects:
    """One object store."""

    def __init__(self, connection: Connection, store: ObjectStore) -> None:
        self._connection = connection
        self._store = store

    def _client(self) -> Client:
        # Without nats-py's look-up of the store on every use: topology has made it.
        js = self._connection.client.jetstream(timeout=ANSWER_S)
        return Client(name=self._store.name, stream=self._store.stream, js=js)

    async def get(self, name: str) -> bytes:
        """Return an object; NotFound if there is none."""
        nuid, count = await self._info(name)
        return await self._chunks(nuid, count)

    async def part(self, name: str, seq: int, chunks: int) -> Part:
        """Return some chunks of an object: the first ones with `seq` 0, else those from there on. NotFound."""
        nuid, count = await self._info(name)
        if not count:
            return Part(b"", 0)
        batch = await self._batch(nuid, max(1, seq), chunks + 1)
        if not batch:
            raise NotFound(f"{self._store.name}: an object has lost some of its {count} chunks")
        following = batch[chunks].seq if len(batch) > chunks else 0
        return Part(b"".join(stored.data for stored in batch[:chunks]), following)

    async def _info(self, name: str) -> tuple[str, int]:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                info = await self._client().get_info(name)
        except (ObjectNotFoundError, NotFoundError, BucketNotFoundError) as error:
            raise NotFound(f"{self._store.name}: no object {name}") from error
        except (NatsError, TimeoutError) as error:
            raise BusError(
                f"{self._store.name}: reading {name}: {str(error) or type(error).__name__}"
            ) from error
        return info.nuid or "", info.chunks or 0

    async def _batch(self, nuid: str, seq: int, size: int) -> list[Stored]:
        js, subject = JetStream(self._connection, ANSWER_S), f"$O.{self._store.name}.C.{nuid}"
        return await js.following(self._store.stream, subject, seq, size)

    async def _chunks(self, nuid: str, count: int) -> bytes:
        """Read the chunks of an object in one request for each batch, without a consumer at the server."""
        chunks: list[bytes] = []
        seq = 1
        while len(chunks) < count:
            batch = await self._batch(nuid, seq, min(BATCH, count - len(chunks)))
            if not batch:
                raise NotFound(
                    f"{self._store.name}: an object has lost {count - len(chunks)} of {count} chunks"
                )
            chunks += [stored.data for stored in batch]
            seq = batch[-1].seq + 1
        return b"".join(chunks)

    async def has(self, name: str) -> bool:
        """Tell whether there is an object."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._client().get_info(name)
        except (ObjectNotFoundError, NotFoundError):
            return False
        except (NatsError, TimeoutError) as error:
            raise BusError(f"{self._store.name}: looking for {name}: {error}") from error
        return True

    async def used_bytes(self) -> int:
        """Return how much of its room is taken."""
        info = await JetStream(self._connection, TIMEOUT_S).api(f"STREAM.INFO.{self._store.stream}")
        return int(info["state"]["bytes"])

    async def put(self, name: str, data: bytes) -> None:
        """Store an object, unless it is there: the name is the digest of what it holds."""
        client = self._client()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                try:
                    await client.get_info(name)
                except (ObjectNotFoundError, NotFoundError):
                    await client.put(name, data)
        except (NatsError, APIError, TimeoutError) as error:
            raise BusError(
                f"{self._store.name}: storing {name}: {str(error) or type(error).__name__}"
            ) from error
