"""Batches that were read and are not folded yet, bounded in bytes: the stream keeps the rest."""

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from outrider import subjects
from outrider.bus.jetstream import Stored
from outrider.names import ClusterName
from status_aggregator.arrival import Arrived

BYTES_MAX = 16 << 20
TOGETHER_MAX = 16
# Batches of one cluster that are folded in one go: what one may unpack is bounded, and others get a turn in between.


class Waiting(NamedTuple):
    """A batch as it came."""

    stored: Stored
    arrived: Arrived


class Backlog:
    """What waits, in the order of the stream."""

    def __init__(self) -> None:
        self._waiting: deque[Waiting] = deque()
        self._size_bytes = 0
        self._some, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    async def put(self, messages: list[Stored], arrived: Arrived) -> None:
        """Have messages wait that were read together, once there is room."""
        await self._room.wait()
        self._waiting.extend(Waiting(stored, arrived) for stored in messages)
        self._size_bytes += sum(len(stored.data) for stored in messages)
        self._some.set()
        if self._size_bytes >= BYTES_MAX:
            self._room.clear()

    async def some(self) -> None:
        """Wait until something waits."""
        await self._some.wait()

    def first(self) -> Waiting:
        """Take the oldest."""
        waiting = self._waiting.popleft()
        self._took(len(waiting.stored.data))
        return waiting

    def all(self) -> list[Waiting]:
        """Take everything."""
        waiting = list(self._waiting)
        self._waiting.clear()
        self._took(self._size_bytes)
        return waiting

    def _took(self, size_bytes: int) -> None:
        self._size_bytes -= size_bytes
        if self._size_bytes < BYTES_MAX:
            self._room.set()
        if not self._waiting:
            self._some.clear()


def by_cluster(waiting: list[Waiting]) -> Iterator[tuple[ClusterName, list[Waiting]]]:
    """Yield what waits by the cluster that it is of, in the order of the stream, at most TOGETHER_MAX at a time."""
    found: dict[ClusterName, list[Waiting]] = {}
    for one in waiting:
        found.setdefault(subjects.cluster_of(one.stored.subject), []).append(one)
    for cluster, its in found.items():
        for start in range(0, len(its), TOGETHER_MAX):
            yield cluster, its[start : start + TOGETHER_MAX]
