"""Work by key: one at a time for each key, many keys at a time, newest wins.

A key that is added while it waits is one piece of work; one that is added while it is being worked on is worked on once more
afterwards. The handler reads what is true when it runs, so nothing is lost by joining. A failure is tried again after a
jittered delay; an error that is no bus error is a bug: it is logged with its key, and the other keys go on.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import structlog

from outrider.backoff import Backoff
from outrider.bus import BusError

log = structlog.get_logger()

K = TypeVar("K", bound=Hashable)
RETRY = Backoff(first_s=0.5, cap_s=30.0)


class WorkQueue(Generic[K]):
    """Keys to work on, and the loop that does."""

    def __init__(
        self, name: str, handle: Callable[[K], Awaitable[None]], *, concurrent_max: int, rng: random.Random
    ) -> None:
        self._name, self._handle, self._rng = name, handle, rng
        self._concurrent_max = concurrent_max
        self._ready: dict[K, None] = {}
        # in the order of their first addition
        self._busy: set[K] = set()
        self._again: set[K] = set()
        self._failures: Counter[K] = Counter()
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._added = asyncio.Event()

    def add(self, *keys: K) -> None:
        """Have keys worked on."""
        for key in keys:
            if (timer := self._timers.pop(key, None)) is not None:
                timer.cancel()
            if key in self._busy:
                self._again.add(key)
            else:
                self._ready[key] = None
        if self._ready:
            self._added.set()

    def add_after(self, delay_s: float, key: K) -> None:
        """Have a key worked on after a while, or sooner when it is added by another."""
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()
        self._timers[key] = asyncio.get_running_loop().call_later(delay_s, self.add, key)

    def retry_now(self) -> None:
        """Have everything that failed worked on at once: what it failed for may be over."""
        self.add(*(key for key in self._failures if key in self._timers))

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do at this moment."""
        return not self._ready and not self._busy

    async def run(self) -> None:
        """Work until cancelled."""
        slots = asyncio.Semaphore(self._concurrent_max)
        async with asyncio.TaskGroup() as tasks:
            while True:
                await slots.acquire()
                key = await self._next()
                task = tasks.create_task(self._work(key), name=f"{self._name} {key}")
                task.add_done_callback(lambda _: slots.release())

    async def _next(self) -> K:
        while not self._ready:
            self._added.clear()
            await self._added.wait()
        key = next(iter(self._ready))
        del self._ready[key]
        self._busy.add(key)
        return key

    async def _work(self, key: K) -> None:
        try:
            await self._handle(key)
            self._failures.pop(key, None)
        except BusError as error:
            log.warning("work put off", queue=self._name, key=key, reason=str(error))
            self._retry(key)
        except Exception:
            # The loop's boundary: one key that meets a bug must not stop the others.
            log.exception("work failed", queue=self._name, key=key)
            self._retry(key)
        finally:
            self._busy.discard(key)
            if key in self._again:
                self._again.discard(key)
                self.add(key)

    def _retry(self, key: K) -> None:
        self.add_after(RETRY.delay_s(self._failures[key], self._rng), key)
        self._failures[key] += 1
