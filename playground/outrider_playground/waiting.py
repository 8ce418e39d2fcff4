"""Wait for a condition that has no event of its own: another process's state, a file, an answer that changes."""

import asyncio
from collections.abc import Awaitable, Callable

INTERVAL_S = 0.01


async def eventually(condition: Callable[[], bool | Awaitable[bool]], within_s: float = 10) -> None:
    """Return once `condition` holds; TimeoutError after `within_s`."""
    async with asyncio.timeout(within_s):
        while True:
            held = condition()
            if held if isinstance(held, bool) else await held:
                return
            await asyncio.sleep(INTERVAL_S)
