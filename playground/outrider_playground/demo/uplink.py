"""What an edge is connected by: one WAN link to each server of the hub, cut, slowed and counted as one."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Self

from outrider_playground.demo.hub import Listener
from outrider_playground.wan import Count, Counters, WanLink, Way


class Uplink:
    """The links of one edge. What is done to it is done to all of them; `links` has each."""

    def __init__(self, links: Sequence[WanLink]) -> None:
        self.links = tuple(links)

    @classmethod
    @asynccontextmanager
    async def to(cls, listeners: Sequence[Listener]) -> AsyncIterator[Self]:
        """Open a link to each of the hub's servers."""
        async with AsyncExitStack() as stack:
            yield cls([await stack.enter_async_context(WanLink(host, port)) for host, port in listeners])

    @property
    def urls(self) -> list[str]:
        """Where the agent finds the hub's servers. The name is in every hub's certificate."""
        return [f"tls://localhost:{link.port}" for link in self.links]

    @property
    def metering(self) -> str:
        """How what is counted is counted."""
        return self.links[0].metering

    async def cut(self) -> None:
        """Reset all connections and refuse further ones until restored."""
        for link in self.links:
            await link.cut()

    async def black_hole(self, way: Way | None = None) -> None:
        """Keep connections but move no byte, both ways or one."""
        for link in self.links:
            await link.black_hole(way)

    async def restore(self) -> None:
        """End a cut or a black hole."""
        for link in self.links:
            await link.restore()

    def delay(self, latency_s: float, jitter_s: float = 0.0) -> None:
        """Hand each byte on later."""
        for link in self.links:
            link.delay(latency_s, jitter_s)

    def throttle(self, bytes_per_s: float | None) -> None:
        """Limit the capacity of each link; None lifts the limit."""
        for link in self.links:
            link.throttle(bytes_per_s)

    def stall(self, probability: float, length_s: float) -> None:
        """Hold a direction up now and then, as a loss does."""
        for link in self.links:
            link.stall(probability, length_s)

    def mend(self) -> None:
        """Be fast again: no latency, no limit, no stalls."""
        self.delay(0)
        self.throttle(None)
        self.stall(0, 0)

    def counters(self) -> Counters:
        """Add up what the links have carried so far."""
        each = [link.counters() for link in self.links]
        up, down = (sum((getattr(one, way) for one in each), start=Count()) for way in ("up", "down"))
        return Counters(up, down, sum(one.connections for one in each))

    @property
    def open_connections(self) -> int:
        """How many connections the links hold."""
        return sum(link.open_connections for link in self.links)
