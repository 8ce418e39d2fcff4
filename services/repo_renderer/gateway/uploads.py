"""Bundles on their way up, part by part: what has arrived is kept for whoever goes on with it, and stored once it is whole.

One that the hub has is not sent at all. A whole one is checked in every respect before anything is stored.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable

from outrider.bus.objects import Objects
from outrider.bus.services import RequestRefused
from outrider.delta import DIGEST_BYTES
from outrider.pool_messages import CHUNK_MAX_BYTES, BundleChunk, BundleOffer, BundleState
from outrider.topology import BUNDLES
from repo_renderer.bundles import BUNDLE_MAX_BYTES
from repo_renderer.gateway import checks
from repo_renderer.gateway.budget import Budget, Spent

UPLOADS_MAX = 2
# At a time, of one pool: each may hold a bundle in memory. The one that was not gone on with for longest is given up.
POOLS_SHARE = 0.75
# Of the hub's store of bundles: what is left can't be taken from its own renderers.


class _Upload:
    def __init__(self, total: int) -> None:
        self.total = total
        self.data = bytearray()
        self.is_checked = False


class Uploads:
    """The bundles of one pool that are on their way."""

    def __init__(
        self,
        objects: Objects,
        budget: Budget,
        checking: asyncio.Lock,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`checking`: shared by all pools, since it takes as much memory as a bundle has."""
        self._objects, self._budget, self._checking, self._clock = objects, budget, checking, clock
        self._uploads: OrderedDict[bytes, _Upload] = OrderedDict()

    async def offer(self, request: BundleOffer) -> BundleState:
        """Return where to go on with a bundle, from 0 on if nothing of it is here."""
        if len(request.digest) != DIGEST_BYTES:
            raise RequestRefused(f"digest: has {len(request.digest)} bytes instead of {DIGEST_BYTES}")
        if not 0 < request.total <= BUNDLE_MAX_BYTES:
            raise RequestRefused(f"bundle: has {request.total} bytes, at most {BUNDLE_MAX_BYTES} are allowed")
        if await self._objects.has(request.digest.hex()):
            self._uploads.pop(request.digest, None)
            return BundleState(request.total, is_stored=True)
        known = self._uploads.get(request.digest)
        if known is not None and known.total == request.total:
            self._uploads.move_to_end(request.digest)
            return BundleState(len(known.data))
        await self._check_room(request.total)
        self._uploads[request.digest] = _Upload(request.total)
        self._uploads.move_to_end(request.digest)
        while len(self._uploads) > UPLOADS_MAX:
            self._uploads.popitem(last=False)
        return BundleState(0)

    async def _check_room(self, size_bytes: int) -> None:
        try:
            self._budget.check(size_bytes, self._clock())
        except Spent as error:
            raise RequestRefused(str(error)) from error
        if await self._objects.used_bytes() + size_bytes > POOLS_SHARE * BUNDLES.max_bytes:
            raise RequestRefused(
                "the hub's store of bundles is nearly full: what is left is for its own renderers"
            )

    async def chunk(self, request: BundleChunk) -> BundleState:
        """Take in a part; return where to go on. A part from elsewhere than that changes nothing."""
        upload = self._uploads.get(request.digest)
        if upload is None:
            # Given up, or the gateway is another one: to be offered again.
            return (
                BundleState(0)
                if not await self._objects.has(request.digest.hex())
                else BundleState(0, is_stored=True)
            )
        if len(request.data) > CHUNK_MAX_BYTES or len(upload.data) + len(request.data) > upload.total:
            raise RequestRefused("bundle: the part is larger than it may be")
        if request.offset == len(upload.data):
            upload.data += request.data
            self._uploads.move_to_end(request.digest)
        if len(upload.data) == upload.total:
            await self._finish(request.digest, upload)
            return BundleState(upload.total, is_stored=True)
        return BundleState(len(upload.data))

    async def _finish(self, digest: bytes, upload: _Upload) -> None:
        """Store a bundle that is whole; one that is not what it was said to be is forgotten."""
        async with self._checking:
            if self._uploads.get(digest) is not upload:
                return
            frame = bytes(upload.data)
            try:
                if not upload.is_checked:
                    await asyncio.to_thread(checks.bundle, frame, digest, BUNDLE_MAX_BYTES)
                    self._budget.spend(len(frame), self._clock())
                    upload.is_checked = True
            except (RequestRefused, Spent) as error:
                del self._uploads[digest]
                raise RequestRefused(str(error)) from error
            await self._objects.put(digest.hex(), frame)
            self._uploads.pop(digest, None)
