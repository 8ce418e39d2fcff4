"""Ask the hub what differs: on every connect, whenever a record was skipped, and now and then.

"I have seen everything up to this generation, and hold the set with this digest." The answer holds the records that differ,
or nothing. It may come in parts; it is complete once its records are stored. What is asked now and then finds what nothing else
tells of: a last record that was lost, a replica that lost one.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress

import structlog

from edge_agent.link.allowance import Allowance
from edge_agent.link.budget import Lane
from edge_agent.link.inbound import Inbound
from edge_agent.replica import Holdings, ReplicaUnwritable
from outrider import subjects
from outrider.bus import BusError, Connection, RequestTimedOut
from outrider.codec import MalformedMessage
from outrider.messages import Generation, ResyncAnswer, ResyncRequest
from outrider.names import AppName, ClusterName, from_token

log = structlog.get_logger()

TIMEOUT_S = 20.0
RETRIES_PAUSE_MAX = 6
EVERY_S = 1800.0
# Without any cause: 20 KB a day.


class Resync:
    """The resync loop of one agent."""

    def __init__(
        self,
        connection: Connection,
        cluster: ClusterName,
        holdings: Holdings,
        inbound: Inbound,
        allowance: Allowance,
        rng: random.Random,
        every_s: float = EVERY_S,
        on_answer: Callable[[ResyncAnswer], None] = lambda _: None,
        on_step: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_answer` hears of each answer before it is carried out, `on_step` of each time that all there is was stored."""
        self._connection, self._cluster = connection, cluster
        self._holdings, self._inbound, self._allowance = holdings, inbound, allowance
        self._rng, self._every_s = rng, every_s
        self._on_answer, self._on_step = on_answer, on_step

    async def run(self) -> None:
        """Resync on every connect and every gap, until cancelled."""

        async def on_connected() -> None:
            self._allowance.down.connected()
            self._inbound.gap.set()

        self._connection.on_connected.append(on_connected)
        if self._connection.is_connected:
            self._inbound.gap.set()
        attempt = 0
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._every_s * self._rng.uniform(0.8, 1.0)):
                    await self._inbound.gap.wait()
            await self._connection.wait_connected()
            self._inbound.gap.clear()
            try:
                await self._once()
                attempt = 0
            except (BusError, MalformedMessage, ReplicaUnwritable) as error:
                log.warning("resync failed", attempt=attempt, reason=str(error))
                self._inbound.gap.set()
                for _ in range(min(attempt + 1, RETRIES_PAUSE_MAX)):
                    await self._connection.pause()
                attempt += 1

    async def _once(self) -> None:
        frontier = self._inbound.frontier
        after = frontier.complete
        while True:
            answer = await self._ask(after)
            newest = Generation(answer.epoch, answer.counter)
            self._on_answer(answer)
            waiting: list[asyncio.Event] = []
            for raw in answer.records:
                app, sealed = _entry(raw)
                record = self._inbound.verified(app, sealed)
                if record is not None:
                    waiting.append(self._inbound.offer(app, record))
                    after = max(after, record.generation)
            await self._stored(waiting)
            if not answer.more:
                break
        if frontier is not self._inbound.frontier:
            raise BusError("something of the replica was lost meanwhile")
        self._inbound.complete_up_to(newest)
        log.info("in step with the hub", generation=list(newest))
        self._on_step()

    async def _ask(self, after: Generation) -> ResyncAnswer:
        pace, clock = self._allowance.down, asyncio.get_running_loop().time
        limit = self._allowance.part_bytes(pace)
        request = ResyncRequest(*after, self._holdings.digest(), *self._holdings.highest, limit).pack()
        began_s = clock()
        try:
            answer = await self._connection.request(
                subjects.resync(self._cluster), request, timeout_s=TIMEOUT_S
            )
        except RequestTimedOut:
            pace.failed()
            raise
        finally:
            self._allowance.spend(Lane.REPLY, len(request))
        pace.took(len(answer.data), clock() - began_s)
        self._allowance.spend(Lane.REPLY, len(answer.data))
        return ResyncAnswer.unpack(answer.data)

    async def _stored(self, waiting: list[asyncio.Event]) -> None:
        """Wait until all are stored; BusError when a new gap (a reconnect, say) calls for another resync first."""
        async with asyncio.TaskGroup() as tasks:
            gap = tasks.create_task(self._inbound.gap.wait(), name="gap")
            stored = tasks.create_task(_all(waiting), name="stored")
            await asyncio.wait((gap, stored), return_when=asyncio.FIRST_COMPLETED)
            complete = stored.done()
            gap.cancel()
            stored.cancel()
        if not complete:
            raise BusError("the link was lost before all records were stored")


async def _all(events: list[asyncio.Event]) -> None:
    for event in events:
        await event.wait()


def _entry(raw: object) -> tuple[AppName, bytes]:
    match raw:
        case [str(name), bytes(sealed)]:
            return AppName(from_token(name)), sealed
    raise MalformedMessage("ResyncAnswer.records: not [app, record]")
