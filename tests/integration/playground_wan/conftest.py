import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from outrider_playground.wan import WanLink

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Hub:
    """The far end: accepts connections and leaves them to the test."""

    port: int = 0
    accepted: asyncio.Queue[Stream] = field(default_factory=asyncio.Queue)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        self.accepted.put_nowait((reader, writer))


@dataclass
class Bench:
    """A hub, a link to it, and agents that connect through the link."""

    hub: Hub
    link: WanLink
    agents: list[asyncio.StreamWriter] = field(default_factory=list)

    async def dial(self) -> Stream:
        """Connect an agent; the hub's side is left in `hub.accepted`."""
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.link.port)
        self.agents.append(writer)
        return reader, writer

    async def connect(self) -> tuple[Stream, Stream]:
        """Connect an agent and return both ends: (agent, hub)."""
        agent = await self.dial()
        async with asyncio.timeout(5):
            return agent, await self.hub.accepted.get()


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    far_end = Hub()
    server = await asyncio.start_server(far_end.take, "127.0.0.1", 0, limit=1 << 16)
    far_end.port = server.sockets[0].getsockname()[1]
    yield far_end
    server.close()
    for writer in far_end.writers:
        writer.transport.abort()
    await server.wait_closed()


@pytest.fixture
async def bench(hub: Hub) -> AsyncIterator[Bench]:
    async with WanLink("127.0.0.1", hub.port) as link:
        table = Bench(hub, link)
        yield table
        for writer in table.agents:
            writer.transport.abort()
