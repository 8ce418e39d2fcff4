"""Ask an agent to do something and wait for its answer, which comes on `fleet.<cluster>.reply.<id>`.

A command that nobody hears is lost: who asked is told, and asks again. Nothing is queued for a cluster that is offline: a
sync that somebody wanted an hour ago may be the last thing that they want now.
"""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import structlog

from app_registry.replies import Parts
from outrider import subjects
from outrider.bus import Connection, Disconnected, Message, NoResponders, RequestTimedOut
from outrider.bus.services import RequestRefused
from outrider.codec import MalformedMessage
from outrider.messages import Command, CommandReply
from outrider.names import ClusterName
from outrider.tasks import background

log = structlog.get_logger()

REQUEST_ID_BITS = 64


class Unanswered(RequestRefused):
    """Nobody answered for a cluster: what is known of it is the last that was."""


class Offline(Unanswered):
    """The cluster has no connection: the server says that nobody hears the command."""


@dataclass(frozen=True)
class _Expected:
    """An answer that somebody waits for, and what has come of it."""

    future: asyncio.Future[CommandReply]
    limit: asyncio.Timeout
    # starts anew with each part: a large answer takes its time on a thin link
    parts: Parts = field(default_factory=Parts)


class Commands:
    """Sends commands and collects their answers."""

    def __init__(self, connection: Connection, rng: random.Random, timeout_s: float) -> None:
        """`timeout_s`: how long an agent may take."""
        self._connection, self._rng, self._timeout_s = connection, rng, timeout_s
        self._waiting: dict[tuple[ClusterName, str], _Expected] = {}

    async def start(self) -> None:
        """Hear answers from here on."""
        with suppress(Disconnected):
            # Subscribed to on the next connect.
            await self._connection.subscribe(subjects.ALL_REPLIES, self._on_reply)

    async def _on_reply(self, message: Message) -> None:
        # The server has checked that the sender is the cluster in the subject.
        key = subjects.cluster_of(message.subject), message.subject.rsplit(".", 1)[1]
        expected = self._waiting.get(key)
        if expected is None or expected.future.done():
            return
        try:
            expected.limit.reschedule(self._in_time())
            reply = expected.parts.add(message.data)
            if reply is not None:
                expected.future.set_result(reply)
        except MalformedMessage as error:
            log.warning("reply not understood", cluster=key[0], reason=str(error))

    async def ask(self, cluster: ClusterName, verb: str, arguments: dict[str, Any]) -> Any:
        """Return the agent's answer; RequestRefused when it refuses, Unanswered when it is offline or does not answer in time."""
        command = Command(f"{self._rng.getrandbits(REQUEST_ID_BITS):x}", arguments)
        limit = asyncio.timeout_at(self._in_time())
        with self._expecting(cluster, command.request_id, limit) as future:
            async with background(self._send(cluster, verb, command, future), name=f"command {verb}"):
                try:
                    async with limit:
                        reply = await future
                except TimeoutError as error:
                    raise Unanswered(
                        f"cluster {cluster!r} did not answer within {self._timeout_s:g} s: its link may be down; try again"
                    ) from error
        if reply.error:
            raise RequestRefused(reply.error)
        return reply.body

    async def tell(self, cluster: ClusterName, verb: str, arguments: dict[str, Any]) -> None:
        """Send a command whose answer nobody waits for; one that nobody hears is lost."""
        command = Command(f"{self._rng.getrandbits(REQUEST_ID_BITS):x}", arguments)
        await self._connection.publish(subjects.command(cluster, verb), command.pack())

    @contextmanager
    def _expecting(
        self, cluster: ClusterName, request_id: str, limit: asyncio.Timeout
    ) -> Iterator[asyncio.Future[CommandReply]]:
        future: asyncio.Future[CommandReply] = asyncio.get_running_loop().create_future()
        self._waiting[cluster, request_id] = _Expected(future, limit)
        try:
            yield future
        finally:
            del self._waiting[cluster, request_id]

    def _in_time(self) -> float:
        return asyncio.get_running_loop().time() + self._timeout_s

    async def _send(
        self, cluster: ClusterName, verb: str, command: Command, future: asyncio.Future[CommandReply]
    ) -> None:
        """Send as a request, whose own answer nobody gives, to learn from the server when nobody hears it."""
        subject = subjects.command(cluster, verb)
        try:
            with suppress(RequestTimedOut):
                await self._connection.request(subject, command.pack(), timeout_s=self._timeout_s)
        except NoResponders:
            if not future.done():
                sentence = f"cluster {cluster!r} is offline: it goes on with what it has, and nothing can be asked of it"
                future.set_exception(Offline(sentence))
