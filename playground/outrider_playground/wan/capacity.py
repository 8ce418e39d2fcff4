"""The capacity of one direction of a link, shared first come, first served by its connections."""

import asyncio
from collections.abc import Callable

from outrider_playground.wan.conditions import TokenBucket


class Capacity:
    """Lets segments pass at `bytes_per_s`; a change of it takes effect at once, also for who waits."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._bucket: TokenBucket | None = None
        self._changed = asyncio.Event()
        self._turn = asyncio.Lock()

    @property
    def limited(self) -> bool:
        """Whether there is a limit, so that bytes must come segment by segment."""
        return self._bucket is not None

    def set(self, bytes_per_s: float | None) -> None:
        """Limit to `bytes_per_s`, or lift the limit."""
        self._bucket = None if bytes_per_s is None else TokenBucket(bytes_per_s, self._clock())
        self._changed.set()

    async def pass_through(self, size_bytes: int) -> None:
        """Wait for this segment's turn. Cancelled, it has used nothing."""
        if self._bucket is None:
            return
        async with self._turn:
            while self._bucket is not None:
                wait_s = self._bucket.wait_s(size_bytes, self._clock())
                if not wait_s:
                    self._bucket.take(size_bytes, self._clock())
                    return
                await self._wait_for_change(wait_s)

    async def _wait_for_change(self, timeout_s: float) -> None:
        self._changed.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            return
