"""Ask the hub's gateway. All that is asked may be asked again: nothing is done twice."""

import asyncio
from typing import TypeVar

from outrider import subjects
from outrider.bus import BusError, Connection
from outrider.bus.services import RequestRefused, ask_packed
from outrider.codec import MalformedMessage, Message
from outrider.names import PoolName
from outrider.pool_messages import ANSWERED_WITHIN_S

M = TypeVar("M", bound=Message)

CONCURRENT_MAX = 16
# Requests at a time, beside those that wait for something to happen: a gateway takes no more than some of one pool.


class Refused(BusError):
    """The gateway does not take it as it is. Asking again helps only if something changes."""


class Gateway:
    """The hub, as one run of one renderer sees it."""

    def __init__(self, connection: Connection, pool: PoolName, run: bytes) -> None:
        self.connection, self.run = connection, run
        self._pool = pool
        self._slots = asyncio.Semaphore(CONCURRENT_MAX)

    async def wait_for(self, verb: str, request: Message, kind: type[M]) -> M:
        """Ask what may be answered late, as `ask` does."""
        return await self._asked(verb, request, kind)

    async def ask(self, verb: str, request: Message, kind: type[M]) -> M:
        """Return the answer. Refused, WrongRevision, or another BusError."""
        async with self._slots:
            return await self._asked(verb, request, kind)

    async def _asked(self, verb: str, request: Message, kind: type[M]) -> M:
        subject = subjects.gateway(self._pool, verb)
        try:
            answer = await ask_packed(self.connection, subject, request.pack(), timeout_s=ANSWERED_WITHIN_S)
            return kind.unpack(answer)
        except RequestRefused as error:
            raise Refused(str(error)) from error
        except MalformedMessage as error:
            raise BusError(f"the hub's answer can't be read: {error}") from error

    async def wait(self) -> None:
        """Wait a jittered moment, and for a connection, before asking again."""
        await self.connection.pause()
        await self.connection.wait_connected()
