"""Bundles as the renderers stored them, read by digest. A few that were looked at last are kept in memory."""

import asyncio
from collections import OrderedDict
from typing import Any

from outrider import codec, delta
from outrider.bus import NotFound
from outrider.bus.objects import Objects
from outrider.codec import MalformedMessage

BUNDLE_MAX_BYTES = 64 << 20
KEPT_MAX_BYTES = 16 << 20
# Packed. Somebody pages through one bundle at a time.


class HubBundles:
    """Reads bundles."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()

    async def manifests(self, digest: bytes) -> list[dict[str, Any]]:
        """Return a bundle's manifests. NotFound if there is no such bundle, or it is damaged; BusError."""
        packed = self._kept.get(digest) or await self._read(digest)
        self._kept[digest] = packed
        self._kept.move_to_end(digest)
        while len(self._kept) > 1 and sum(map(len, self._kept.values())) > KEPT_MAX_BYTES:
            self._kept.popitem(last=False)
        try:
            found = await asyncio.to_thread(codec.unpack, packed, BUNDLE_MAX_BYTES)
        except MalformedMessage as error:
            raise NotFound(f"bundle {digest.hex()} is damaged") from error
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    async def _read(self, digest: bytes) -> bytes:
        frame = await self._objects.get(digest.hex())
        try:
            packed = await asyncio.to_thread(delta.decompress, frame, max_bytes=BUNDLE_MAX_BYTES)
        except (delta.WrongBase, delta.TooLarge) as error:
            raise NotFound(f"bundle {digest.hex()} is damaged") from error
        if delta.digest(packed) != digest:
            raise NotFound(f"bundle {digest.hex()} is damaged")
        return packed
