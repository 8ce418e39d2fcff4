import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from app_registry.work_queue import WorkQueue
from outrider.bus import BusError
from outrider.tasks import background


@asynccontextmanager
async def working(
    handle: Callable[[str], Awaitable[None]], concurrent_max: int = 4
) -> AsyncIterator[WorkQueue[str]]:
    queue: WorkQueue[str] = WorkQueue("test", handle, concurrent_max=concurrent_max, rng=random.Random(1))
    async with asyncio.timeout(10), background(queue.run(), name="queue"):
        yield queue


async def test_a_key_that_is_added_while_it_is_worked_on_is_worked_on_once_more() -> None:
    begun: asyncio.Queue[str] = asyncio.Queue()
    go = asyncio.Event()

    async def handle(key: str) -> None:
        begun.put_nowait(key)
        await go.wait()

    async with working(handle) as queue:
        queue.add("a", "a")
        assert await begun.get() == "a"
        queue.add("a")
        queue.add("a", "b")
        assert await begun.get() == "b"
        assert begun.empty()
        go.set()
        assert await begun.get() == "a"
        await asyncio.sleep(0)
        assert begun.empty()
        assert queue.is_idle


async def test_no_more_keys_are_worked_on_than_allowed_and_the_first_added_comes_first() -> None:
    begun: asyncio.Queue[str] = asyncio.Queue()
    go = asyncio.Semaphore(0)

    async def handle(key: str) -> None:
        begun.put_nowait(key)
        await go.acquire()

    async with working(handle, concurrent_max=2) as queue:
        queue.add("d", "a", "c", "b")
        assert [await begun.get(), await begun.get()] == ["d", "a"]
        await asyncio.sleep(0)
        assert begun.empty()
        for _ in range(4):
            go.release()
        assert [await begun.get(), await begun.get()] == ["c", "b"]


@pytest.mark.parametrize("error", [BusError("away"), RuntimeError("a bug")])
async def test_a_failure_is_tried_again_and_stops_no_other_key(error: Exception) -> None:
    attempts: asyncio.Queue[str] = asyncio.Queue()
    failed: set[str] = set()

    async def handle(key: str) -> None:
        attempts.put_nowait(key)
        if key == "a" and key not in failed:
            failed.add(key)
            raise error

    async with working(handle) as queue:
        queue.add("a", "b")
        assert [await attempts.get(), await attempts.get()] == ["a", "b"]
        assert await attempts.get() == "a"
        await asyncio.sleep(0)
        assert attempts.empty()
        assert queue.is_idle


async def test_a_later_time_is_forgotten_when_the_key_is_added_before() -> None:
    handled: asyncio.Queue[str] = asyncio.Queue()

    async def handle(key: str) -> None:
        handled.put_nowait(key)

    async with working(handle) as queue:
        queue.add_after(0.01, "a")
        queue.add_after(600, "a")
        queue.add_after(0.02, "b")
        assert await handled.get() == "b"
        queue.add("a")
        assert await handled.get() == "a"
        assert queue.is_idle
