"""Follow stream STATUS from the stored cursor on and fold it, batch by batch, for ever.

Guarantees: every batch is folded once for each (cluster, epoch, seq), those of a cluster in the order of the stream; what is folded is
written (`commit`); a crash at any point loses nothing, since the cursor is written last. Memory is ahead of the bucket by at most one
commit, what gathers meanwhile and the backlog. One faulty message never stops the others.

Batch after batch while writing keeps up. In a storm, when enough waits to be written, reading goes on and folding waits: then what
came of each cluster is folded together, so the more there is, the less each change costs.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from itertools import groupby

import structlog

from outrider.bus.follow import follow
from outrider.bus.jetstream import JetStream
from outrider.codec import MalformedMessage, UnknownVersion
from outrider.messages import StatusBatch
from outrider.names import ClusterName
from outrider.topology import STATUS
from status_aggregator import clock, events
from status_aggregator.arrival import Arrival, Arrived
from status_aggregator.backlog import Backlog, Waiting, by_cluster
from status_aggregator.clock import ClockOffset
from status_aggregator.commit import Committer
from status_aggregator.edge import Edge, Folded, Limits
from status_aggregator.fleet import Fleet
from status_aggregator.fold import fold_together
from status_aggregator.hub_clock import Moment
from status_aggregator.mending import Mender
from status_aggregator.records import Cursor, Key, Loaded
from status_aggregator.rejections import Rejections
from status_aggregator.words import Gone, Refused, Word

log = structlog.get_logger()

ENTRIES_MAX = 5_000
# In one batch: a message of 1 MiB could hold 70,000 empty ones.
TURN_ENTRIES = 200
# Folded before other tasks get a turn: some milliseconds.


@dataclass
class Counts:
    """What was folded since the start."""

    batches: int = 0
    old_batches: int = 0
    entries: int = 0
    changes: int = 0
    coalesced: int = 0
    # of these: replaced by a newer one that was folded together with it
    restarts: int = 0


class Ingest:
    """The loop."""

    def __init__(
        self,
        js: JetStream,
        fleet: Fleet,
        committer: Committer,
        mender: Mender,
        rejections: Rejections,
        *,
        is_registered: Callable[[ClusterName], bool],
        is_wanted: Callable[[ClusterName, str], bool],
        now: Callable[[], Moment],
        limits: Limits | None = None,
    ) -> None:
        self._js, self._fleet, self._committer, self._mender = js, fleet, committer, mender
        self._rejections = rejections
        self._is_registered, self._is_wanted = is_registered, is_wanted
        self._limits = limits or Limits()
        self._now, self._turn, self._caught_up = now, 0, False
        self._backlog = Backlog()
        self.arrival = Arrival(js, STATUS.name, lambda: now().unix_ms)
        self.counts = Counts()

    async def run(self, start: Cursor) -> None:
        """Fold until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read(start.seq), name="read status")
            tasks.create_task(self._fold(start.created), name="fold status")

    async def _read(self, after_seq: int) -> None:
        batches = follow(self._js, STATUS.name, after_seq=after_seq)
        async with aclosing(batches):  # type: ignore[type-var]
            async for batch in batches:
                if batch.messages:
                    await self._backlog.put(batch.messages, await self.arrival.of(batch.messages))
                self._caught_up = self._caught_up or batch.caught_up
                self._done()

    async def _fold(self, created: str) -> None:
        while True:
            await self._backlog.some()
            if self._committer.pending.is_storm:
                await self._committer.taken()
                waiting = self._backlog.all()
            else:
                waiting = [self._backlog.first()]
            for cluster, together in by_cluster(waiting):
                await self._committer.room()
                self._together(cluster, together)
                self._committer.changed()
                await self._give_way()
            # Only now: those of other clusters may have come before.
            self._committer.pending.cursor = Cursor(waiting[-1].stored.seq, created)
            self._committer.changed()
            self._done()

    def _done(self) -> None:
        if self._caught_up and self._mender.paused and not self._backlog:
            log.info("status stream caught up with")
            self._mender.resume()

    async def _give_way(self) -> None:
        if self._turn >= TURN_ENTRIES:
            self._turn = 0
            await asyncio.sleep(0)

    def _together(self, cluster: ClusterName, waiting: list[Waiting]) -> None:
        """Fold what waits of one cluster."""
        self._turn += len(waiting)
        if not self._is_registered(cluster):
            self._rejections.add(
                "batch of a cluster that is not registered", cluster=cluster, count=len(waiting)
            )
            return
        read = [(batch, one.arrived) for one in waiting if (batch := self._batch(cluster, one)) is not None]
        for _, run in groupby(read, key=lambda one: one[0].epoch):
            batches, arrived = zip(*run, strict=True)
            self._turn += sum(len(batch.entries) for batch in batches)
            edge = self._fleet.edges.get(cluster, Edge())
            folded = fold_together(edge, batches, self._now().passed_ms, self._limits)
            self._count(cluster, len(batches), folded)
            if folded.last is not None:
                self._take(cluster, folded.last, folded, arrived[-1])

    def _batch(self, cluster: ClusterName, waiting: Waiting) -> StatusBatch | None:
        try:
            return _batch(waiting.stored.data)
        except UnknownVersion as error:
            self._rejections.add("batch of an unknown version", cluster=cluster, reason=str(error))
        except MalformedMessage as error:
            self._rejections.add("malformed batch", cluster=cluster, reason=str(error))
        return None

    def _count(self, cluster: ClusterName, batches: int, folded: Folded) -> None:
        self.counts.batches += batches
        self.counts.old_batches += folded.old
        self.counts.restarts += folded.is_restart
        self.counts.entries += folded.entries
        self.counts.changes += folded.documents
        self.counts.coalesced += folded.documents - len(folded.changes)
        for kind, count in folded.rejected.items():
            self._rejections.add(kind, cluster=cluster, count=count)

    def _take(self, cluster: ClusterName, batch: StatusBatch, folded: Folded, arrived: Arrived) -> None:
        """Take up what was folded: state, what is to be written, what is to be asked for."""
        self._fleet.edges[cluster] = folded.edge
        received_ms = arrived.at_ms
        offset = self._clock(cluster, batch, folded, arrived)
        observed_ms = offset.corrected_ms(batch.observed_at_ms, received_ms)
        pending = self._committer.pending
        # That an application is gone which was never heard of is worth telling where somebody may wait for it.
        for app in (*folded.removed, *(a for a in folded.absent if self._is_wanted(cluster, a))):
            pending.said(Key(cluster, app), Gone())
        for change in folded.changes:
            pending.said(Key(cluster, change.app), Word(change.after, observed_ms, received_ms, change.state))
            pending.events += events.of_change(
                cluster, batch.epoch, batch.seq, change, received_ms, observed_ms
            )
        for app, kind in folded.refused:
            pending.said(Key(cluster, app), Refused(kind, received_ms))
        pending.edges[cluster] = {
            "heard_at_ms": received_ms,
            "heard_late_ms": arrived.late_ms,
            "observed_at_ms": observed_ms,
            "epoch": batch.epoch,
            "seq": batch.seq,
            "clock_offset_ms": offset.offset_ms,
        }
        self._mender.judge(cluster, differs=folded.differs, lacking=folded.edge.lacking)

    def _clock(
        self, cluster: ClusterName, batch: StatusBatch, folded: Folded, arrived: Arrived
    ) -> ClockOffset:
        offset = ClockOffset() if folded.is_restart else self._fleet.clocks.get(cluster, ClockOffset())
        if arrived.is_exact:
            offset = offset.heard(batch.observed_at_ms, arrived.at_ms)
        self._fleet.clocks[cluster] = offset
        return offset


def _batch(data: bytes) -> StatusBatch:
    batch = StatusBatch.unpack(data).with_entries()
    if not clock.is_plausible(batch.observed_at_ms):
        raise MalformedMessage("StatusBatch.observed_at_ms: not a time")
    if len(batch.entries) > ENTRIES_MAX:
        raise MalformedMessage(f"StatusBatch.entries: more than {ENTRIES_MAX}")
    return batch


async def starting_point(js: JetStream, loaded: Loaded) -> Cursor:
    """Return where to follow from: the stored cursor, or the beginning if the stream is another one than then."""
    info = await js.api(f"STREAM.INFO.{STATUS.name}")
    created, last_seq = str(info.get("created", "")), int(info["state"]["last_seq"])
    if loaded.cursor.created in ("", created) and loaded.cursor.seq <= last_seq:
        return Cursor(loaded.cursor.seq, created)
    log.warning("stream STATUS begins anew", cursor=loaded.cursor.seq, last_seq=last_seq)
    return Cursor(0, created)
