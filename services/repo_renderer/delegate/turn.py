"""This renderer's turn: asked for without end, which also is how the hub knows that it is there.

While the hub can't be reached a renderer that works goes on: what it finds is told when the link is back, unless another one has
taken its place. Requests from the hub come with the answer.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog

from outrider.bus import BusError
from outrider.bus.services import RequestRefused
from outrider.codec import MESSAGE_MAX_BYTES
from outrider.pool_messages import WAIT_S, AskedAnswer, Stored, TurnAnswer, TurnRequest
from outrider.version import VERSION
from repo_renderer.delegate.gateway import Gateway, Refused
from repo_renderer.delegate.tables import Told
from repo_renderer.rendering import Rendering

log = structlog.get_logger()

LEAVES_WITHIN_S = 2.0
TOO_LARGE = MESSAGE_MAX_BYTES - (16 << 10)


class Turn:
    """Whether this renderer works."""

    def __init__(self, gateway: Gateway, name: str, told: Told) -> None:
        """`told` is given what each answer tells of the tables."""
        self._gateway, self._name, self._told = gateway, name, told
        self.begun, self.ended = asyncio.Event(), asyncio.Event()
        self._asked: asyncio.Queue[tuple[int, str, dict[str, Any]]] = asyncio.Queue()

    @property
    def works(self) -> bool:
        """Whether it does, as far as is known here."""
        return self.begun.is_set()

    async def run(self) -> None:
        """Ask until cancelled."""
        said = ""
        while True:
            try:
                answer = await self._gateway.wait_for("turn", self._request(), TurnAnswer)
            except Refused as error:
                if str(error) != said:
                    said = str(error)
                    log.warning("the hub refuses this renderer", reason=said)
                await asyncio.sleep(WAIT_S)
            except BusError as error:
                log.debug("no turn", reason=str(error))
                await self._gateway.wait()
            else:
                said = ""
                self._take(answer)

    def _request(self) -> TurnRequest:
        return TurnRequest(self._gateway.run, self._name, VERSION, self.works, digests=self._told.digests)

    def _take(self, answer: TurnAnswer) -> None:
        self._told.tell(answer.digests)
        if answer.works != self.works:
            log.info("this renderer works from here on" if answer.works else "this renderer stands by")
            begun, ended = (self.begun, self.ended) if answer.works else (self.ended, self.begun)
            ended.clear()
            begun.set()
        for asked in answer.asked:
            match asked:
                case [int(number), str(verb), dict(arguments)]:
                    self._asked.put_nowait((number, verb, arguments))

    @asynccontextmanager
    async def leaving(self) -> AsyncIterator[None]:
        """At the end of the block, let another renderer begin at once."""
        try:
            yield
        finally:
            with suppress(BusError, TimeoutError):
                async with asyncio.timeout(LEAVES_WITHIN_S):
                    leaves = TurnRequest(self._gateway.run, self._name, VERSION, leaves=True)
                    await self._gateway.wait_for("turn", leaves, TurnAnswer)

    async def answer(self, rendering: Rendering) -> None:
        """Answer what the hub asks, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                number, verb, arguments = await self._asked.get()
                tasks.create_task(self._answered(rendering, number, verb, arguments), name=f"answer {verb}")

    async def _answered(
        self, rendering: Rendering, number: int, verb: str, arguments: dict[str, Any]
    ) -> None:
        run = self._gateway.run
        try:
            answer = AskedAnswer(run, number, await _handled(rendering, verb, arguments))
        except (RequestRefused, BusError) as error:
            answer = AskedAnswer(run, number, error=str(error))
        except Exception:
            # The loop's boundary: one request that meets a bug must not take the others down.
            log.exception("request failed", verb=verb)
            answer = AskedAnswer(run, number, error="the renderer met an error of its own; its log says more")
        if len(answer.pack()) > TOO_LARGE:
            answer = AskedAnswer(
                run, number, error="the answer is larger than the bus carries: ask for one repository"
            )
        with suppress(BusError):
            await self._gateway.ask("answer", answer, Stored)


async def _handled(rendering: Rendering, verb: str, arguments: dict[str, Any]) -> dict[str, Any]:
    match verb:
        case "refresh":
            return await rendering.refresh(arguments)
        case "render":
            return await rendering.render(arguments)
    raise RequestRefused(f"this renderer does not know {verb!r}: it is of another version than the hub")
