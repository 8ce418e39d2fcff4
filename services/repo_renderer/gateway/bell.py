"""Many wait for something to happen; who makes it happen rings."""

import asyncio
from contextlib import suppress


class Bell:
    """Take a `listen()` before looking whether there is anything to wait for: what happens in between is not missed."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake all that wait."""
        self._rung.set()
        self._rung = asyncio.Event()

    def listen(self) -> asyncio.Event:
        """Return what the next ring sets."""
        return self._rung


async def heard(rung: asyncio.Event, within_s: float) -> None:
    """Wait for a ring, for so long at most."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await rung.wait()
