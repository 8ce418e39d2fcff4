"""Many acknowledged writes in flight at once, begun in their order."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any

from outrider.bus import BusError
from outrider.bus.jetstream import IN_FLIGHT_MAX


async def all_written(writes: Iterable[Awaitable[Any]]) -> None:
    """Await all; then the first BusError, when one failed: which of the others were written is not known."""
    waiting, failed = iter(writes), list[BusError]()

    async def work() -> None:
        for write in waiting:
            try:
                await write
            except BusError as error:
                failed.append(error)

    async with asyncio.TaskGroup() as tasks:
        for number in range(IN_FLIGHT_MAX):
            tasks.create_task(work(), name=f"write {number}")
    if failed:
        raise failed[0]
