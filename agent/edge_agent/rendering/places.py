"""One loop a place: look when its interval is over, when it is told to, or when what is wanted of it changed.

A look is one conversation for all sources that lie there, whatever the number of applications. A place that fails or hangs holds
up no other.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from edge_agent.rendering.orders import Place
from edge_agent.rendering.process import NotNow
from edge_agent.rendering.steps import Head
from outrider.backoff import Backoff

AGAIN = Backoff(first_s=0.5, cap_s=60.0)
# After a look that has found nothing out.


@dataclass
class Watched:
    """A place that is looked at; `look` wakes its loop."""

    place: Place
    look: asyncio.Event = field(default_factory=asyncio.Event)
    looked: asyncio.Condition = field(default_factory=asyncio.Condition)
    begun: int = 0
    # looks, each by its number
    ended: int = 0
    # the last one that found something out
    heads: dict[bytes, Head | str] = field(default_factory=dict)
    # What each source stands for, or what is wrong with it; by the source's key.
    in_vain: int = 0
    # looks in a row that have found nothing out
    timer: asyncio.TimerHandle | None = None

    def look_within(self, seconds: float, rng: random.Random) -> None:
        """Look at a moment drawn from the next seconds, at the latest."""
        if self.timer is not None:
            self.timer.cancel()
        if seconds <= 0:
            self.look.set()
        else:
            self.timer = asyncio.get_running_loop().call_later(rng.uniform(0, seconds), self.look.set)


class Places:
    """The loops, born in the task group of `run`."""

    def __init__(
        self,
        look: Callable[[Watched], Awaitable[None]],
        is_wanted: Callable[[Place], bool],
        interval_s: float,
        rng: random.Random,
    ) -> None:
        self._look, self._is_wanted = look, is_wanted
        self._interval_s, self._rng = interval_s, rng
        self._begun: asyncio.Queue[Watched] = asyncio.Queue()
        self._watched: dict[Place, Watched] = {}

    async def run(self) -> None:
        """Run the loops until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                watched = await self._begun.get()
                tasks.create_task(self._follow(watched), name=f"repository {watched.place.url}")

    def get(self, place: Place) -> Watched | None:
        """Return a place that is looked at."""
        return self._watched.get(place)

    def all(self) -> list[Watched]:
        """Return every place that is looked at."""
        return list(self._watched.values())

    def look(self, place: Place, within_s: float) -> None:
        """Look at a place soon; begin to, where nobody does."""
        if (watched := self._watched.get(place)) is None:
            watched = self._watched[place] = Watched(place)
            self._begun.put_nowait(watched)
        watched.look_within(within_s, self._rng)

    def look_no_more(self, place: Place) -> None:
        """Let the loop of a place that nobody wants end."""
        if (watched := self._watched.pop(place, None)) is not None:
            watched.look_within(0, self._rng)

    async def looked(self, place: Place) -> None:
        """Look now, and wait until that is done."""
        self.look(place, 0)
        watched = self._watched[place]
        # One that is under way may have asked the server a moment too early.
        wanted = watched.begun + 1
        async with watched.looked:
            await watched.looked.wait_for(lambda: watched.ended >= wanted)

    async def _follow(self, watched: Watched) -> None:
        while True:
            try:
                async with asyncio.timeout(self._pause_s(watched)):
                    await watched.look.wait()
            except TimeoutError:
                pass
            if self._watched.get(watched.place) is not watched or not self._is_wanted(watched.place):
                break
            watched.look.clear()
            watched.begun += 1
            try:
                await self._look(watched)
            except NotNow:
                watched.in_vain += 1
                continue
            watched.in_vain, watched.ended = 0, watched.begun
            async with watched.looked:
                watched.looked.notify_all()
        if self._watched.get(watched.place) is watched:
            del self._watched[watched.place]

    def _pause_s(self, watched: Watched) -> float:
        if watched.in_vain:
            return AGAIN.delay_s(watched.in_vain - 1, self._rng)
        return self._interval_s * self._rng.uniform(0.75, 1.25)
