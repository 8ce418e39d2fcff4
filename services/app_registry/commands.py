"""Ask an agent to do something and wait for its answer, which comes on `fleet.<cluster>.reply.<id>`.

A command that nobody hears is lost: who asked is told, and asks again. Nothing is queued for a cluster that is offline: a
sync that somebody wanted an hour ago may be the last thing that they want now.
"""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from app_registry.entries import current
from outrider import subjects
from outrider.bus import Connection, Message
from outrider.bus.jetstream import JetStream
from outrider.bus.services import RequestRefused
from outrider.codec import MalformedMessage
from outrider.messages import Command, CommandReply
from outrider.names import ClusterName
from outrider.records import EdgeRecord
from outrider.topology import STATUSES

log = structlog.get_logger()

TIMEOUT_S = 15.0
REQUEST_ID_BITS = 64


class Commands:
    """Sends commands and collects their answers."""

    def __init__(
        self, connection: Connection, js: JetStream, rng: random.Random, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._connection, self._js, self._rng, self._timeout_s = connection, js, rng, timeout_s
        self._waiting: dict[tuple[ClusterName, str], asyncio.Future[CommandReply]] = {}

    async def start(self) -> None:
        """Hear answers from here on."""
        await self._connection.subscribe(subjects.ALL_REPLIES, self._on_reply)

    async def _on_reply(self, message: Message) -> None:
        # The server has checked that the sender is the cluster in the subject.
        key = subjects.cluster_of(message.subject), message.subject.rsplit(".", 1)[1]
        future = self._waiting.get(key)
        if future is None or future.done():
            return
        try:
            future.set_result(CommandReply.unpack(message.data))
        except MalformedMessage as error:
            log.warning("reply not understood", cluster=key[0], reason=str(error))

    async def ask(self, cluster: ClusterName, verb: str, arguments: dict[str, Any]) -> Any:
        """Return the agent's answer; RequestRefused when it refuses, is offline or does not answer in time."""
        request_id = f"{self._rng.getrandbits(REQUEST_ID_BITS):x}"
        with self._expecting(cluster, request_id) as future:
            await self._connection.publish(
                subjects.command(cluster, verb), Command(request_id, arguments).pack()
            )
            try:
                async with asyncio.timeout(await self._patience_s(cluster)):
                    reply = await future
            except TimeoutError as error:
                raise RequestRefused(await self._why(cluster)) from error
        if reply.error:
            raise RequestRefused(reply.error)
        return reply.body

    @contextmanager
    def _expecting(self, cluster: ClusterName, request_id: str) -> Iterator[asyncio.Future[CommandReply]]:
        future: asyncio.Future[CommandReply] = asyncio.get_running_loop().create_future()
        self._waiting[cluster, request_id] = future
        try:
            yield future
        finally:
            del self._waiting[cluster, request_id]

    async def _patience_s(self, cluster: ClusterName) -> float:
        # Presence may be behind, so even a cluster that is said to be offline gets a moment.
        edge = await self._edge(cluster)
        return self._timeout_s if edge is None or edge.online else min(1.0, self._timeout_s)

    async def _why(self, cluster: ClusterName) -> str:
        edge = await self._edge(cluster)
        if edge is not None and edge.online:
            return f"cluster {cluster!r} is online but did not answer within {self._timeout_s:g} s; try again"
        return f"cluster {cluster!r} is offline; it goes on with what it has, and nothing can be asked of it"

    async def _edge(self, cluster: ClusterName) -> EdgeRecord | None:
        entry = await current(self._js, STATUSES, cluster)
        try:
            return EdgeRecord.unpack(entry.value) if entry.value is not None else None
        except MalformedMessage:
            return None
