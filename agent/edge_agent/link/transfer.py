"""Fetch a bundle: by digest, as a patch against what is held or whole, in parts whose size follows the link (`pace`).

One part is asked for at a time, so a transfer never holds more of the link than one part, and goes on where it was after
an interruption.
"""

import asyncio

import structlog

from edge_agent.link.allowance import Allowance
from edge_agent.link.budget import Lane
from edge_agent.replica import Bundles
from edge_agent.replica.bundles import BUNDLE_MAX_BYTES
from outrider import delta, subjects
from outrider.bus import Connection, RequestTimedOut
from outrider.messages import BundlePart, BundleRequest
from outrider.names import ClusterName

log = structlog.get_logger()

PART_TIMEOUT_S = 30.0


class NoSuchBundle(Exception):
    """The hub does not have the bundle that its record names."""

    def __init__(self, digest: bytes) -> None:
        self.digest = digest
        super().__init__(f"the hub has no bundle {digest.hex()[:12]} (yet)")


class Transfer:
    """One bundle on its way. Call `run` again after a BusError: it goes on at the same offset."""

    def __init__(
        self,
        connection: Connection,
        cluster: ClusterName,
        bundles: Bundles,
        allowance: Allowance,
        digest: bytes,
    ) -> None:
        self._connection, self._allowance = connection, allowance
        self._subject = subjects.bundle(cluster)
        self._bundles = bundles
        self.digest = digest
        self._held = bundles.held()
        self._base: bytes | None = None
        self._received = bytearray()

    @property
    def received_bytes(self) -> int:
        """How much of the transfer form has arrived."""
        return len(self._received)

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
        await self._allowance.turn(Lane.DESIRED)
        pace, clock = self._allowance.down, asyncio.get_running_loop().time
        limit = self._allowance.part_bytes(pace)
        request = BundleRequest(self.digest, self._held, len(self._received), self._base, limit).pack()
        began_s = clock()
        try:
            answer = await self._connection.request(self._subject, request, timeout_s=PART_TIMEOUT_S)
        except RequestTimedOut:
            pace.failed()
            raise
        finally:
            self._allowance.spend(Lane.DESIRED, len(request))
        pace.took(len(answer.data), clock() - began_s)
        self._allowance.spend(Lane.DESIRED, len(answer.data))
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
