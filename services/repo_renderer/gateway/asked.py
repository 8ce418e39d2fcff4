"""What the hub asks of a pool (`hub.render.<pool>.refresh`, `.render`), handed to the renderer that works, and its answers.

A renderer is not asked by a message of its own, which it would have to hear: it takes what is asked with its turn, and that it has
arrived is known when it asks for its next turn. What nobody has taken, or answered in time, is refused to whoever asked.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from outrider.bus.services import RequestRefused
from outrider.pool_messages import AskedAnswer, Stored
from repo_renderer.gateway import checks

WAITING_MAX = 32
# More are refused: whoever asks repeats it, or looks later.
TAKEN_WITHIN_S = 5.0
# A renderer that is there takes it at once: one that was killed is not waited for.
ANSWERED_WITHIN_S = 120.0
Check = Callable[[Any], dict[str, Any]]


@dataclass
class _Asked:
    verb: str
    arguments: dict[str, Any]
    answered: asyncio.Future[Any]
    taken_by: bytes = b""
    # the run of the renderer that it was handed to
    has_arrived: asyncio.Event = field(default_factory=asyncio.Event)


class Asked:
    """The open requests of one pool."""

    def __init__(self, pool: str, ring: Callable[[], None]) -> None:
        """`ring` is called when there is something to take."""
        self._pool, self._ring = pool, ring
        self._open: dict[int, _Asked] = {}
        self._number = 0

    async def ask(self, verb: str, arguments: dict[str, Any], check: Check) -> dict[str, Any]:
        """Return a renderer's answer; RequestRefused if it refuses, or there is none."""
        if len(self._open) >= WAITING_MAX:
            raise RequestRefused(
                f"the renderer of pool {self._pool!r} has much to do at the moment; ask later"
            )
        self._number += 1
        number, asked = self._number, _Asked(verb, arguments, asyncio.get_running_loop().create_future())
        self._open[number] = asked
        self._ring()
        try:
            async with asyncio.timeout(TAKEN_WITHIN_S) as deadline:
                await asked.has_arrived.wait()
                deadline.reschedule(asyncio.get_running_loop().time() + ANSWERED_WITHIN_S)
                return check(await asked.answered)
        except TimeoutError as error:
            raise RequestRefused(
                f"the renderer of pool {self._pool!r} does not answer at the moment"
            ) from error
        finally:
            del self._open[number]

    def take(self, run: bytes) -> list[Any]:
        """Return what nobody has taken yet."""
        found = [(number, asked) for number, asked in self._open.items() if not asked.taken_by]
        for _, asked in found:
            asked.taken_by = run
        return [[number, asked.verb, asked.arguments] for number, asked in found]

    def arrived(self, run: bytes) -> None:
        """Note that a renderer asks for more: it has what it took before. What another one took, and has no turn any more, is free."""
        for asked in self._open.values():
            if asked.taken_by == run:
                asked.has_arrived.set()
            else:
                asked.taken_by = b""

    async def answer(self, message: AskedAnswer) -> Stored:
        """Take in an answer; one to nothing that is open changes nothing."""
        asked = self._open.get(message.number)
        if asked is not None and not asked.answered.done():
            asked.has_arrived.set()
            if message.error:
                asked.answered.set_exception(RequestRefused(checks.error(message.error)))
            else:
                asked.answered.set_result(message.body)
        return Stored()
