"""Bundles go up once: offered by digest, sent part by part where the hub has none of that digest, gone on with after a lost link."""

import asyncio

import structlog

from outrider.bus import BusError, NotFound
from outrider.bus.buckets import Entry
from outrider.pool_messages import (
    CHUNK_MAX_BYTES,
    ArchiveAnswer,
    ArchiveRead,
    ArchiveWrite,
    BundleChunk,
    BundleOffer,
    BundleState,
    Stored,
)
from repo_renderer import bundles
from repo_renderer.delegate.gateway import Gateway, Refused

log = structlog.get_logger()


class Bundles(bundles.Bundles):
    """This renderer's bundles."""

    async def patch(self, digest: bytes, base: bytes) -> bytes | None:
        """Leave patches to the hub, which has what they are made from."""
        return None


class Frames:
    """The hub's object store, to be written only."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._sending = asyncio.Lock()
        # One at a time: the hub keeps no more than a few that are half sent.

    async def get(self, name: str) -> bytes:
        """Raise NotFound: what the hub has is not handed to renderers of pools."""
        raise NotFound(f"bundle {name} is at the hub")

    async def put(self, name: str, data: bytes) -> None:
        """Send a frame, unless the hub has it, whatever time it takes. ValueError if the hub does not take it."""
        async with self._sending:
            while True:
                try:
                    if await self._sent(bytes.fromhex(name), data):
                        return
                except Refused as error:
                    raise ValueError(str(error)) from error
                except BusError as error:
                    log.info("bundle not sent yet, going on", bundle=name, reason=str(error))
                    await self._gateway.wait()

    async def _sent(self, digest: bytes, data: bytes) -> bool:
        """Send what the hub lacks; return False if that has to be found out again."""
        run = self._gateway.run
        state = await self._gateway.ask("offer", BundleOffer(run, digest, len(data)), BundleState)
        while not state.is_stored:
            part = data[state.offset : state.offset + CHUNK_MAX_BYTES]
            chunk = BundleChunk(run, digest, state.offset, part)
            after = await self._gateway.ask("chunk", chunk, BundleState)
            if not after.is_stored and after.offset <= state.offset:
                return False
            state = after
        return True


class Archive:
    """What this pool has rendered before."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def get(self, key: str) -> Entry:
        """Return an entry; NotFound if there is none."""
        answer = await self._gateway.ask("archived", ArchiveRead(self._gateway.run, key), ArchiveAnswer)
        if answer.value is None:
            raise NotFound(f"no rendering {key}")
        return Entry(key, answer.value, 0)

    async def put(self, key: str, value: bytes) -> int:
        """Store an entry."""
        asked = ArchiveWrite(self._gateway.run, key, value)
        return (await self._gateway.ask("archive", asked, Stored)).revision
