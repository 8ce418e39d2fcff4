"""Bundles in the object store: written once under their digest, read back checked, patched against one another.

A few that were used last are kept in memory, since the bundle before a commit is what the one after it is patched against.
"""

import asyncio
from collections import OrderedDict
from typing import Any

from outrider import codec, delta
from outrider.bus import NotFound
from repo_renderer.store import Frames

BUNDLE_MAX_BYTES = 64 << 20
CACHE_MAX_BYTES = 64 << 20
PATCHES_CACHED = 512
PATCH_MAX_BYTES = 4096
# Larger patches are fetched by those edges that need them, instead of travelling inside every record.
FRAMES_CACHED_MAX_BYTES = 32 << 20
# As they are stored: an edge behind a thin link asks for one part by part, a thousand times.


class Bundles:
    """The hub's bundles."""

    def __init__(self, objects: Frames) -> None:
        self._objects = objects
        self._cache: OrderedDict[bytes, bytes] = OrderedDict()
        self._cached_bytes = 0
        self._patches: OrderedDict[tuple[bytes, bytes], bytes] = OrderedDict()
        self._frames: OrderedDict[bytes, bytes] = OrderedDict()

    async def put(self, manifests: list[dict[str, Any]]) -> bytes:
        """Store manifests as a bundle; return its digest. Idempotent. ValueError if they are too large."""
        data = await asyncio.to_thread(codec.canonical, manifests)
        if len(data) > BUNDLE_MAX_BYTES:
            raise ValueError(f"the manifests have {len(data)} bytes, a bundle has at most {BUNDLE_MAX_BYTES}")
        digest = delta.digest(data)
        if digest not in self._cache:
            await self._objects.put(digest.hex(), await asyncio.to_thread(delta.compress, data))
            self._remember(digest, data)
        return digest

    async def get(self, digest: bytes) -> bytes:
        """Return a bundle's canonical bytes; NotFound if there is none, or it is not what its name says."""
        if (cached := self._cache.get(digest)) is not None:
            self._cache.move_to_end(digest)
            return cached
        try:
            frame = await self.frame(digest)
            data = await asyncio.to_thread(delta.decompress, frame, max_bytes=BUNDLE_MAX_BYTES)
        except (delta.WrongBase, delta.TooLarge) as error:
            raise NotFound(f"bundle {digest.hex()} is damaged") from error
        if delta.digest(data) != digest:
            raise NotFound(f"bundle {digest.hex()} is damaged")
        self._remember(digest, data)
        return data

    async def frame(self, digest: bytes) -> bytes:
        """Return a bundle as it is stored: one frame."""
        if (cached := self._frames.get(digest)) is not None:
            self._frames.move_to_end(digest)
            return cached
        frame = self._frames[digest] = await self._objects.get(digest.hex())
        while len(self._frames) > 1 and sum(map(len, self._frames.values())) > FRAMES_CACHED_MAX_BYTES:
            self._frames.popitem(last=False)
        return frame

    async def patch(self, digest: bytes, base: bytes) -> bytes | None:
        """Return the patch from one bundle to another; None if either is not there."""
        if (known := self._patches.get((digest, base))) is not None:
            return known
        try:
            new, old = await self.get(digest), await self.get(base)
        except NotFound:
            return None
        frame = await asyncio.to_thread(delta.compress, new, old)
        self._patches[(digest, base)] = frame
        while len(self._patches) > PATCHES_CACHED:
            self._patches.popitem(last=False)
        return frame

    def by_short(self, short: bytes) -> bytes | None:
        """Return the whole digest of a bundle that is in memory."""
        return next((digest for digest in reversed(self._cache) if delta.short(digest) == short), None)

    def _remember(self, digest: bytes, data: bytes) -> None:
        if digest in self._cache:
            return
        self._cache[digest] = data
        self._cached_bytes += len(data)
        while self._cached_bytes > CACHE_MAX_BYTES and len(self._cache) > 1:
            _, dropped = self._cache.popitem(last=False)
            self._cached_bytes -= len(dropped)


async def small_patch(bundles: Bundles, digest: bytes, before: bytes) -> tuple[bytes | None, bytes | None]:
    """Return short base and patch for a rendering's record; neither if there was no bundle before, or the patch is large."""
    patch = await bundles.patch(digest, before) if digest and before else None
    if patch is None or len(patch) > PATCH_MAX_BYTES:
        return None, None
    return delta.short(before), patch
