"""The answers to a request that has many."""

import asyncio

from outrider.bus.errors import Disconnected, NoResponders, RequestTimedOut
from outrider.bus.model import Message

NO_RESPONDERS = "503"


class Answers:
    """The answers to one request, in order. Who reads them knows which one is the last."""

    def __init__(self, subject: str, queue: asyncio.Queue[Message | None]) -> None:
        self._subject, self._queue = subject, queue

    async def next(self, timeout_s: float) -> Message:
        """Return the next answer. Disconnected, NoResponders, RequestTimedOut."""
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self._queue.get()
        except TimeoutError as error:
            raise RequestTimedOut(self._subject, timeout_s) from error
        return self._checked(answer)

    def ready(self) -> list[Message]:
        """Return the answers that are here already, without waiting."""
        return [self._checked(self._queue.get_nowait()) for _ in range(self._queue.qsize())]

    def _checked(self, answer: Message | None) -> Message:
        if answer is None:
            raise Disconnected("the connection was lost while waiting for answers")
        if answer.headers.get("Status") == NO_RESPONDERS:
            raise NoResponders(self._subject)
        return answer
