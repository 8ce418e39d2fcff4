"""A fake edge on the real bus: it speaks StatusBatch and answers the command `status`, as an agent does."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.unit.status_aggregator.edge_model import EdgeModel

from outrider import subjects
from outrider.bus import Connection, Message
from outrider.bus.jetstream import JetStream
from outrider.messages import Command
from outrider.names import ClusterName, token


class FakeEdge:
    """One cluster. Change `model`, then `flush`."""

    def __init__(
        self, connection: Connection, cluster: str, model: EdgeModel, clock_behind_ms: int = 0
    ) -> None:
        self.connection, self.cluster, self.model = connection, ClusterName(cluster), model
        self.clock_behind_ms = clock_behind_ms
        self.asked: asyncio.Queue[list[str] | None] = asyncio.Queue()
        # what the hub asked for, after it was answered
        self._js = JetStream(connection)

    async def flush(self, most: int | None = None) -> int:
        """Send what is new (nothing new: a heartbeat); return its place in the stream."""
        at_ms = time.time_ns() // 1_000_000 - self.clock_behind_ms
        return await self.send(self.model.take(at_ms, most).pack())

    async def send(self, data: bytes) -> int:
        """Send any bytes as a batch."""
        return await self._js.publish(subjects.status(self.cluster), data)

    async def _on_command(self, message: Message) -> None:
        command = Command.unpack(message.data)
        # What an agent refuses, it does not answer.
        assert command.has_token, command.request_id
        apps = command.arguments["apps"]
        self.model.asked(None if apps is None else [token(app) for app in apps])
        await self.flush()
        self.asked.put_nowait(apps)

    @asynccontextmanager
    async def answering(self) -> AsyncIterator["FakeEdge"]:
        """Answer what the hub asks."""
        await self.connection.subscribe(subjects.command(self.cluster, "status"), self._on_command)
        await self.connection.flush()
        yield self
