"""Follow stream STATUS from the stored cursor on and fold it, batch by batch, for ever.

Guarantees: every batch is folded once for each (cluster, epoch, seq), in the order of the stream; what is folded is written (`commit`);
a crash at any point loses nothing, since the cursor is written last. Memory is ahead of the bucket by at most one commit and what
gathers meanwhile. One faulty message never stops the others.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field

import structlog
from msgspec.structs import replace

from outrider import subjects
from outrider.bus.follow import Batch, follow
from outrider.bus.jetstream import JetStream, Stored
from outrider.codec import MalformedMessage, UnknownVersion
from outrider.messages import StatusBatch
from outrider.names import ClusterName
from outrider.topology import STATUS
from status_aggregator import clock, events
from status_aggregator.arrival import Arrival, Arrived
from status_aggregator.clock import ClockOffset
from status_aggregator.commit import Committer
from status_aggregator.edge import Edge, Folded, Known, Limits, begin_gathering
from status_aggregator.fold import fold
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
    restarts: int = 0


@dataclass
class Fleet:
    """The folded state of every edge."""

    edges: dict[ClusterName, Edge] = field(default_factory=dict)
    clocks: dict[ClusterName, ClockOffset] = field(default_factory=dict)

    @classmethod
    def of(cls, loaded: Loaded) -> "Fleet":
        """Return the state that was stored."""
        clocks = {
            cluster: ClockOffset((record.clock_offset_ms,))
            for cluster, record in loaded.edge_records.items()
            if record.heard_at_ms
        }
        return cls(loaded.edges(), clocks)

    def packed(self, key: Key, known: Known, frame: bytes) -> None:
        """Hold the compressed frame of a document that was written, unless a newer one has come."""
        edge = self.edges.get(key.cluster)
        if edge is not None and edge.apps.get(key.app) is known:
            edge.apps[key.app] = replace(known, frame=frame)

    def ask_all(self, cluster: ClusterName) -> None:
        """An edge is asked for everything: what it announces from now on is its set."""
        if (edge := self.edges.get(cluster)) is not None:
            self.edges[cluster] = begin_gathering(edge)

    def connected(self, cluster: ClusterName) -> None:
        """An edge has connected: its clock may have been set while it was away."""
        self.clocks[cluster] = ClockOffset()

    def forget(self, cluster: ClusterName) -> list[Key]:
        """Drop a cluster that is no longer registered; return the keys of its documents."""
        self.clocks.pop(cluster, None)
        edge = self.edges.pop(cluster, None)
        return [Key(cluster, app) for app in edge.apps] if edge else []


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
        self._now, self._turn = now, 0
        self.arrival = Arrival(js, STATUS.name, lambda: now().unix_ms)
        self.counts = Counts()

    async def run(self, start: Cursor) -> None:
        """Fold until cancelled."""
        batches = follow(self._js, STATUS.name, after_seq=start.seq)
        async with aclosing(batches):  # type: ignore[type-var]
            async for batch in batches:
                await self._read(batch, start.created)

    async def _read(self, batch: Batch, created: str) -> None:
        if batch.messages:
            arrived = await self.arrival.of(batch.messages)
            for stored in batch.messages:
                await self._committer.room()
                self._message(stored, arrived)
                self._committer.pending.cursor = Cursor(stored.seq, created)
                self._committer.changed()
                await self._give_way()
        if batch.caught_up and self._mender.paused:
            log.info("status stream caught up with")
            self._mender.resume()

    async def _give_way(self) -> None:
        self._turn += 1
        if self._turn >= TURN_ENTRIES:
            self._turn = 0
            await asyncio.sleep(0)

    def _message(self, stored: Stored, arrived: Arrived) -> None:
        cluster = subjects.cluster_of(stored.subject)
        if not self._is_registered(cluster):
            self._rejections.add("batch of a cluster that is not registered", cluster=cluster)
            return
        try:
            batch = _batch(stored.data)
        except UnknownVersion as error:
            self._rejections.add("batch of an unknown version", cluster=cluster, reason=str(error))
        except MalformedMessage as error:
            self._rejections.add("malformed batch", cluster=cluster, reason=str(error))
        else:
            self._turn += len(batch.entries)
            edge = self._fleet.edges.get(cluster, Edge())
            folded = fold(edge, batch, self._now().passed_ms, self._limits)
            self._count(cluster, folded)
            if not folded.is_old:
                self._take(cluster, batch, folded, arrived)

    def _count(self, cluster: ClusterName, folded: Folded) -> None:
        self.counts.batches += 1
        self.counts.old_batches += folded.is_old
        self.counts.restarts += folded.is_restart
        self.counts.entries += folded.entries
        self.counts.changes += len(folded.changes)
        for kind, count in folded.rejected.items():
            self._rejections.add(kind, cluster=cluster, count=count)

    def _take(self, cluster: ClusterName, batch: StatusBatch, folded: Folded, arrived: Arrived) -> None:
        """Take up a folded batch: state, what is to be written, what is to be asked for."""
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
