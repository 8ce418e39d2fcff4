"""What goes up: status, then the journal, in batches, acknowledged by the hub's stream once they are on disk there.

A change waits 200 ms for others to go with it. Nothing is sent before every application has a document: the first batch of
a process holds the whole set, by which the hub sees what is gone. While the link is down nothing is queued: the outbox
keeps the newest document of each application. The lanes of `budget` say what goes when the link may carry little.
"""

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import structlog

from edge_agent.link.budget import MESSAGE_OVERHEAD_BYTES, Budget, Lane
from edge_agent.link.journal import JournalSender
from edge_agent.link.outbox import Outbox, Sending
from edge_agent.replica import ReplicaUnwritable
from outrider import subjects
from outrider.bus import BusError, Connection
from outrider.names import AppName, ClusterName

log = structlog.get_logger()


@dataclass(frozen=True)
class OutboundSettings:
    """When status is sent. Times in seconds."""

    flush_after_s: float = 0.2
    heartbeat_s: float = 1800
    # A digest of everything, when nothing else was sent: divergence is found within this time; 15 KB a day.
    first_documents_within_s: float = 30
    # An application whose first document takes longer is left out of the first batch.
    batch_max_bytes: int = 192 << 10
    ack_timeout_s: float = 30


class Outbound:
    """The way up."""

    def __init__(
        self,
        connection: Connection,
        cluster: ClusterName,
        outbox: Outbox,
        journal: JournalSender,
        budget: Budget,
        expected: Callable[[], set[AppName]],
        clock: Callable[[], float],
        rng: random.Random,
        settings: OutboundSettings,
    ) -> None:
        self._connection, self._cluster = connection, cluster
        self._outbox, self._journal, self._budget = outbox, journal, budget
        self._expected, self._clock, self._rng, self._settings = expected, clock, rng, settings
        self._wake = asyncio.Event()
        self._troubles: dict[AppName, dict[str, Any]] = {}
        self._heartbeat_at_s = 0.0
        # By the event loop's clock; past: one is due.

    def document(self, app: str, document: dict[str, Any]) -> None:
        """Take the newest document of an application."""
        name = AppName(app)
        if (trouble := self._troubles.get(name)) is not None:
            document = {**document, "conditions": [*document.get("conditions", []), trouble]}
        if self._outbox.put(name, document):
            self._wake.set()

    def removed(self, app: str) -> None:
        """An application is gone from this cluster."""
        self._troubles.pop(AppName(app), None)
        self._outbox.remove(AppName(app))
        self._wake.set()

    def trouble(self, app: AppName, message: str | None) -> None:
        """Note what keeps an application's newest record from being accepted; None when that is over."""
        if message is None:
            self._troubles.pop(app, None)
            return
        self._troubles[app] = {"type": "DeliveryError", "message": message}
        if app not in self._outbox.known:
            unknown = {"status": "Unknown"}
            self.document(app, {"sync": unknown, "health": unknown, "conditions": [], "resources": []})

    def about(self, document: dict[str, Any]) -> None:
        """Take the newest document of the cluster itself."""
        if self._outbox.put(subjects.CLUSTER, document):
            self._wake.set()

    def journal_noted(self) -> None:
        """There is something in the journal."""
        self._journal.noted()
        self._wake.set()

    def resend(self, apps: list[AppName] | None) -> None:
        """The hub asks for whole documents."""
        self._outbox.resend(apps)
        self._wake.set()

    async def run(self) -> None:
        """Send until cancelled."""

        async def on_connected() -> None:
            self._heartbeat_at_s = 0.0
            self._journal.hurry()
            self._wake.set()

        self._connection.on_connected.append(on_connected)
        await self._first_documents()
        while True:
            await self._connection.wait_connected()
            lane = self._next_lane()
            if lane is None:
                await self._rest()
            elif lane is Lane.JOURNAL:
                await self._send_journal()
            else:
                await self._send(lane)

    def _next_lane(self) -> Lane | None:
        """Return the highest lane that has something and may go."""
        now_s = self._clock()
        return next((lane for lane in self._waiting() if self._budget.wait_s(lane, now_s) <= 0), None)

    def _waiting(self) -> Iterator[Lane]:
        """Yield the lanes that have something to send."""
        if self._outbox.is_urgent:
            yield Lane.HEALTH
        if self._outbox.is_dirty or self._heartbeat_at_s <= asyncio.get_running_loop().time():
            yield Lane.STATE
        if self._journal.due_in_s() <= 0:
            yield Lane.JOURNAL

    async def _first_documents(self) -> None:
        try:
            async with asyncio.timeout(self._settings.first_documents_within_s):
                while self._expected() - self._outbox.known:
                    await self._wake.wait()
                    self._wake.clear()
        except TimeoutError:
            log.warning(
                "sending status without some applications", missing=len(self._expected() - self._outbox.known)
            )

    async def _rest(self) -> None:
        """Wait for a change and let others join it, for a lane's turn, or for the next heartbeat."""
        self._wake.clear()
        if self._next_lane() is not None:
            return
        now_s = self._clock()
        waits_s = [self._budget.wait_s(lane, now_s) for lane in self._waiting()]
        if not self._outbox.is_dirty:
            heartbeat_in_s = self._heartbeat_at_s - asyncio.get_running_loop().time()
            waits_s += [max(heartbeat_in_s, self._budget.wait_s(Lane.STATE, now_s))]
        if (due_in_s := self._journal.due_in_s()) > 0:
            waits_s += [due_in_s]
        try:
            async with asyncio.timeout(min(waits_s)):
                await self._wake.wait()
        except TimeoutError:
            return
        await asyncio.sleep(self._settings.flush_after_s)

    async def _send(self, lane: Lane) -> None:
        now_s = self._clock()
        urgent_only = lane is Lane.HEALTH and self._budget.wait_s(Lane.STATE, now_s) > 0
        sending = self._outbox.take(
            round(now_s * 1000), self._settings.batch_max_bytes, urgent_only=urgent_only
        )
        try:
            await self._publish(sending, Lane.HEALTH if urgent_only else Lane.STATE)
        except (BusError, ValueError) as error:
            log.warning("status not acknowledged", entries=len(sending.documents), reason=str(error))
            await self._connection.pause()
            return
        pause_s = self._settings.heartbeat_s * self._rng.uniform(0.8, 1.0)
        self._heartbeat_at_s = asyncio.get_running_loop().time() + pause_s
        self._outbox.acknowledged(sending)

    async def _send_journal(self) -> None:
        try:
            size_bytes = await self._journal.send(self._settings.ack_timeout_s)
            self._budget.spend(Lane.JOURNAL, size_bytes + MESSAGE_OVERHEAD_BYTES, self._clock())
        except (BusError, ValueError, ReplicaUnwritable) as error:
            log.warning("journal not acknowledged", reason=str(error))
            await self._connection.pause()

    async def _publish(self, sending: Sending, lane: Lane) -> None:
        packed = sending.batch.pack()
        self._budget.spend(lane, len(packed) + MESSAGE_OVERHEAD_BYTES, self._clock())
        answer = await self._connection.request(
            subjects.status(self._cluster), packed, timeout_s=self._settings.ack_timeout_s
        )
        acknowledgement = json.loads(answer.data)
        if "error" in acknowledgement:
            raise BusError(f"the hub's stream refused it: {acknowledgement['error'].get('description', '')}")
