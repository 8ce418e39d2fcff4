"""Serve the agent's socket: one request a connection, a few at a time.

The socket is its owner's alone, so who connects may do what the agent may. A client that sends nonsense, sends nothing, stops
reading or goes away ends its own connection and nothing else. A client that waits is let go of when it hangs up.
"""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from edge_agent.cluster import ClusterError
from edge_agent.commands.arguments import CannotDo
from edge_agent.hold.model import one_line
from edge_agent.local.messages import FRAME_MAX_BYTES, LENGTH_BYTES, Chunk, Reply, Request, framed
from edge_agent.replica import ReplicaUnwritable
from outrider.codec import MalformedMessage, Message, UnknownVersion
from outrider.tasks import background

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

_log = structlog.get_logger()

CLIENTS_MAX = 16
REQUEST_WITHIN_S = 10.0
CHUNK_WITHIN_S = 120.0
# A file may come from a slow stick, or through `kubectl exec` over a thin line.
WRITE_WITHIN_S = 30.0
USER_MAX_CHARS = 100

M = TypeVar("M", bound=Message)


class ClientGone(Exception):
    """The client hung up, or doesn't speak as it should: nobody is there to be told."""


@dataclass(frozen=True)
class Channel:
    """One client's connection, frame by frame."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def receive(self, expected: type[M], within_s: float) -> M:
        """Return the next message. ClientGone, MalformedMessage."""
        try:
            async with asyncio.timeout(within_s):
                size = int.from_bytes(await self.reader.readexactly(LENGTH_BYTES), "big")
                if size > FRAME_MAX_BYTES:
                    raise MalformedMessage(f"{size} bytes announced, {FRAME_MAX_BYTES} are allowed")
                packed = await self.reader.readexactly(size)
        except (asyncio.IncompleteReadError, OSError, TimeoutError) as error:
            raise ClientGone(str(error) or type(error).__name__) from error
        return expected.unpack(packed, max_bytes=FRAME_MAX_BYTES)

    async def send(self, reply: Reply) -> None:
        """Send a reply. ClientGone, also when it is not read."""
        try:
            async with asyncio.timeout(WRITE_WITHIN_S):
                self.writer.write(framed(reply))
                await self.writer.drain()
        except (OSError, TimeoutError) as error:
            raise ClientGone(str(error) or type(error).__name__) from error

    async def hung_up(self) -> None:
        """Return when the client hangs up (or says what nobody asked for)."""
        try:
            await self.reader.read(1)
        except OSError:
            return


@dataclass(frozen=True)
class Call:
    """A request that is being answered."""

    arguments: Mapping[str, Any]
    user: str
    channel: Channel

    @property
    def by(self) -> str:
        """Who asks, as histories and holds have it."""
        return f"site:{self.user or 'unknown'}"

    async def progress(self, body: Any) -> None:
        """Tell how far it is."""
        await self.channel.send(Reply("progress", body))

    async def ask_for_file(self) -> None:
        """Have the client send its file from the beginning."""
        await self.channel.send(Reply("send"))

    async def chunk(self) -> Chunk:
        """Return the next piece of the file."""
        return await self.channel.receive(Chunk, CHUNK_WITHIN_S)

    async def unless_gone(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Return what `work` comes to; ClientGone, and `work` is cancelled, if the client hangs up before."""
        async with background(self._gone(), name="client hangs up"):
            return await work

    async def _gone(self) -> None:
        await self.channel.hung_up()
        raise ClientGone("hung up while it waited")


class Server:
    """Serves a listening socket by verbs."""

    def __init__(
        self, listener: socket.socket, verbs: Mapping[str, Callable[[Call], Awaitable[Any]]]
    ) -> None:
        self._listener, self._verbs = listener, verbs
        self._clients = 0

    async def run(self) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as tasks:

            def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                tasks.create_task(self._serve(Channel(reader, writer)), name="local command")

            server = await asyncio.start_unix_server(begin, sock=self._listener)
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                server.close()

    async def _serve(self, channel: Channel) -> None:
        self._clients += 1
        try:
            await channel.send(await self._reply(channel))
        except ClientGone as error:
            _log.debug("local client gone", reason=str(error))
        finally:
            self._clients -= 1
            channel.writer.close()

    async def _reply(self, channel: Channel) -> Reply:
        if self._clients > CLIENTS_MAX:
            return Reply("refused", f"the agent answers {CLIENTS_MAX} commands already; ask again later")
        try:
            request = await channel.receive(Request, REQUEST_WITHIN_S)
        except UnknownVersion as error:
            return Reply("refused", f"{error}: update the agent, or use the command of its own version")
        except MalformedMessage as error:
            _log.warning("local request ignored", reason=str(error))
            return Reply("refused", f"the agent can't read this: {error}")
        return await self._answer(request, channel)

    async def _answer(self, request: Request, channel: Channel) -> Reply:
        verb = self._verbs.get(request.verb)
        if verb is None:
            known = ", ".join(sorted(self._verbs))
            return Reply("refused", f"this agent does not know {request.verb[:40]!r}; it knows {known}")
        try:
            call = Call(request.arguments, one_line(request.user, USER_MAX_CHARS), channel)
            return _checked(Reply("done", await verb(call)))
        except (CannotDo, ClusterError, MalformedMessage) as error:
            return Reply("refused", str(error))
        except ReplicaUnwritable as error:
            return Reply("refused", f"the agent's replica can't be written: {error}")
        except ClientGone:
            raise
        except Exception as error:  # noqa: BLE001 a loop's boundary: a command must not end the agent
            # No local variables: a Secret may be among them.
            _log.error("local command failed", verb=request.verb, trace=traceback.format_exc())
            return Reply("refused", f"the agent failed on this: {type(error).__name__}; its log says more")


def _checked(reply: Reply) -> Reply:
    try:
        framed(reply)
    except ValueError:
        return Reply("refused", "the answer is too long; ask for less")
    return reply
