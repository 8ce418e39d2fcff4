"""Fetch a bundle: by digest, as a patch against what is held or whole, in parts whose size follows the link.

One part is asked for at a time, so a transfer never holds more of the link than one part, and goes on where it was after
an interruption.
"""

import structlog

from edge_agent.replica import Bundles
from edge_agent.replica.bundles import BUNDLE_MAX_BYTES
from outrider import delta, subjects
from outrider.bus import Connection, RequestTimedOut
from outrider.messages import BundlePart, BundleRequest
from outrider.names import ClusterName

log = structlog.get_logger()

PART_FIRST_BYTES = 32 << 10
PART_MAX_BYTES = 256 << 10
PART_MIN_BYTES = 1 << 10
PART_TIMEOUT_S = 30.0


class NoSuchBundle(Exception):
    """The hub does not have the bundle that its record names."""

    def __init__(self, digest: bytes) -> None:
        self.digest = digest
        super().__init__(f"the hub has no bundle {digest.hex()[:12]} (yet)")


class Transfer:
    """One bundle on its way. Call `run` again after a BusError: it goes on at the same offset."""

    def __init__(self, connection: Connection, cluster: ClusterName, bundles: Bundles, digest: bytes) -> None:
        self._connection = connection
        self._subject = subjects.bundle(cluster)
        self._bundles = bundles
        self.digest = digest
        self._held = bundles.held()
        self._base: bytes | None = None
        self._received = bytearray()
        self._limit = PART_FIRST_BYTES

    async def run(self) -> bytes:
        """Return the bundle's canonical bytes, checked. NoSuchBundle, BusError, delta.WrongBase, delta.TooLarge."""
        while True:
            part = await self._part()
            if part.total == 0:
                self._restart()
                raise NoSuchBundle(self.digest)
            if part.total > BUNDLE_MAX_BYTES:
                raise delta.TooLarge(f"{part.total} bytes announced, {BUNDLE_MAX_BYTES} are allowed")
            if not self._received:
                self._base = part.base
            self._received += part.data
            if len(self._received) >= part.total:
                return self._finish()

    async def _part(self) -> BundlePart:
        request = BundleRequest(self.digest, self._held, len(self._received), self._base, self._limit)
        try:
            answer = await self._connection.request(self._subject, request.pack(), timeout_s=PART_TIMEOUT_S)
        except RequestTimedOut:
            self._limit = max(PART_MIN_BYTES, self._limit // 4)
            raise
        self._limit = min(PART_MAX_BYTES, self._limit * 2)
        return BundlePart.unpack(answer.data)

    def _finish(self) -> bytes:
        base = self._bundles.by_short(self._base) if self._base is not None else None
        try:
            sent = delta.Delta(self.digest, self._base, bytes(self._received))
            return sent.apply(base, max_bytes=BUNDLE_MAX_BYTES)
        except delta.WrongBase:
            # Once more, whole.
            self._restart()
            self._held = []
            raise

    def _restart(self) -> None:
        self._received.clear()
        self._base = None
