"""What goes up: status, then the journal, in batches, acknowledged by the hub's stream once they are on disk there.

A change waits 200 ms for others to go with it. Nothing is sent before every application has a document: the first batch of
a process holds the whole set, by which the hub sees what is gone. While the link is down nothing is queued: the outbox
keeps the newest document of each application. The lanes of `budget` say what goes when the link may carry little.
"""

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from edge_agent.link.allowance import Allowance
from edge_agent.link.budget import Lane
from edge_agent.link.journal import JournalSender
from edge_agent.link.outbox import Outbox, Sending
from edge_agent.replica import ReplicaUnwritable
from outrider import subjects
from outrider.bus import BusError, Connection, RequestTimedOut
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


def _nothing() -> None:
    pass


def _of_none(apps: list[AppName]) -> None:
    pass


@dataclass
class _Sent:
    size_bytes: int = 0


class Outbound:
    """The way up. `on_heartbeat` is told before one is sent: what is only told in passing goes with it. `on_acknowledged` hears of
    each batch that the hub has stored, and which applications it knows to be gone by it.
    """

    def __init__(
        self,
        connection: Connection,
        cluster: ClusterName,
        outbox: Outbox,
        journal: JournalSender,
        allowance: Allowance,
        expected: Callable[[], set[AppName]],
        clock: Callable[[], float],
        rng: random.Random,
        settings: OutboundSettings,
        on_heartbeat: Callable[[], None] = _nothing,
        on_acknowledged: Callable[[list[AppName]], None] = _of_none,
    ) -> None:
        self._connection, self._cluster = connection, cluster
        self._outbox, self._journal, self._allowance = outbox, journal, allowance
        self._expected, self._clock, self._rng, self._settings = expected, clock, rng, settings
        self._on_heartbeat, self._on_acknowledged = on_heartbeat, on_acknowledged
        self._is_in_step = False
        self._wake = asyncio.Event()
        self._troubles: dict[AppName, dict[str, Any]] = {}
        self._heartbeat_at_s = 0.0
        # By the event loop's clock; past: one is due.
        self.acknowledged_at_s: float | None = None
        # Unix time of the hub's last word that it has what was sent, in this process

    @property
    def waiting(self) -> int:
        """How many documents the hub lacks."""
        return self._outbox.waiting

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

    def wake(self) -> None:
        """Look again at what may be sent: the limits have changed."""
        self._wake.set()

    def resend(self, apps: list[AppName] | None) -> None:
        """The hub asks for whole documents."""
        self._outbox.resend(apps)
        self._wake.set()

    def begin_again(self) -> None:
        """Something of the replica was lost: what is here is not all there is, until the hub has said so."""
        self._outbox.is_whole = self._is_in_step = False

    def in_step(self) -> None:
        """The replica has all that the hub had for this cluster."""
        self._is_in_step = True
        if not self._outbox.is_whole:
            # Once all have a document, the set goes up.
            self._heartbeat_at_s = 0.0
            self._wake.set()

    async def run(self) -> None:
        """Send until cancelled."""

        async def on_connected() -> None:
            self._heartbeat_at_s = 0.0
            self._allowance.up.connected()
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
        return next((lane for lane in self._waiting() if self._allowance.wait_s(lane) <= 0), None)

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
        waits_s = [self._allowance.wait_s(lane) for lane in self._waiting()]
        if not self._outbox.is_dirty:
            heartbeat_in_s = self._heartbeat_at_s - asyncio.get_running_loop().time()
            waits_s += [max(heartbeat_in_s, self._allowance.wait_s(Lane.STATE))]
        if (due_in_s := self._journal.due_in_s()) > 0:
            waits_s += [due_in_s]
        try:
            async with asyncio.timeout(min(waits_s)):
                await self._wake.wait()
        except TimeoutError:
            return
        await asyncio.sleep(self._settings.flush_after_s)

    async def _send(self, lane: Lane) -> None:
        urgent_only = lane is Lane.HEALTH and self._allowance.wait_s(Lane.STATE) > 0
        if not self._outbox.is_dirty:
            self._on_heartbeat()
        if not self._outbox.is_whole and self._is_in_step:
            self._outbox.is_whole = not self._expected() - self._outbox.known
        max_bytes = min(self._settings.batch_max_bytes, self._allowance.part_bytes(self._allowance.up))
        sending = self._outbox.take(round(self._clock() * 1000), max_bytes, urgent_only=urgent_only)
        try:
            await self._publish(sending, Lane.HEALTH if urgent_only else Lane.STATE)
        except (BusError, ValueError) as error:
            log.warning("status not acknowledged", entries=len(sending.documents), reason=str(error))
            await self._connection.pause()
            return
        pause_s = self._settings.heartbeat_s * self._rng.uniform(0.8, 1.0)
        self._heartbeat_at_s = asyncio.get_running_loop().time() + pause_s
        gone = self._outbox.acknowledged(sending)
        self.acknowledged_at_s = self._clock()
        self._on_acknowledged(gone)

    async def _send_journal(self) -> None:
        try:
            with self._timed() as sent:
                sent.size_bytes = await self._journal.send(
                    self._settings.ack_timeout_s, self._allowance.part_bytes(self._allowance.up)
                )
            self._allowance.spend(Lane.JOURNAL, sent.size_bytes)
        except (BusError, ValueError, ReplicaUnwritable) as error:
            log.warning("journal not acknowledged", reason=str(error))
            await self._connection.pause()

    async def _publish(self, sending: Sending, lane: Lane) -> None:
        packed = sending.batch.pack()
        self._allowance.spend(lane, len(packed))
        with self._timed() as sent:
            sent.size_bytes = len(packed)
            answer = await self._connection.request(
                subjects.status(self._cluster), packed, timeout_s=self._settings.ack_timeout_s
            )
        acknowledgement = json.loads(answer.data)
        if "error" in acknowledgement:
            raise BusError(f"the hub's stream refused it: {acknowledgement['error'].get('description', '')}")

    @contextmanager
    def _timed(self) -> Iterator[_Sent]:
        """Take in how long the link takes for what is sent in the block."""
        began_s, sent, pace = asyncio.get_running_loop().time(), _Sent(), self._allowance.up
        try:
            yield sent
        except RequestTimedOut:
            pace.failed()
            raise
        pace.took(sent.size_bytes, asyncio.get_running_loop().time() - began_s)
