"""All that only one aggregator at a time may do: fold, write, tell of events, ask edges. Wired for one term of its lease."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import SystemRandom

import structlog

from outrider.bus.buckets import KeyValue
from outrider.bus.jetstream import JetStream
from outrider.names import ClusterName, from_token
from outrider.topology import STATUSES
from status_aggregator.announcing import Announcing
from status_aggregator.bulk import Bulk
from status_aggregator.commit import Committer
from status_aggregator.edge import Limits
from status_aggregator.fleet import Fleet
from status_aggregator.hub_clock import Moment
from status_aggregator.ingest import Ingest, starting_point
from status_aggregator.mending import Mender, MendingSettings, Wants
from status_aggregator.presence import Presence
from status_aggregator.records import Cursor, EdgeTable, Stored, load
from status_aggregator.registrations import Registrations
from status_aggregator.rejections import Rejections
from status_aggregator.showing import Showing
from status_aggregator.view import View
from status_aggregator.words import Gone

log = structlog.get_logger()


@dataclass(frozen=True)
class Around:
    """What the parts work with."""

    js: JetStream
    view: View
    showing: Showing
    registrations: Registrations
    presence: Presence
    rejections: Rejections
    now: Callable[[], Moment]
    may_write: Callable[[], bool]
    # whether the lease still holds
    limits: Limits
    mending: MendingSettings


class Folding:
    """The parts of one term."""

    def __init__(self, around: Around, fleet: Fleet, bulk: Bulk, edges: EdgeTable, start: Cursor) -> None:
        js, rejections = around.js, around.rejections
        self.around, self._fleet, self._edges, self._start = around, fleet, edges, start
        self.committer = Committer(js, bulk, edges, around.showing, around.may_write, fleet.packed)
        self.announcing = Announcing(
            js,
            around.presence,
            edges,
            on_online=self._connected,
            may_write=around.may_write,
            now=around.now,
        )
        self.mender = Mender(
            js.connection,
            Wants(around.mending, SystemRandom()),
            around.presence.connections.is_online,
            fleet.ask_all,
        )
        self.ingest = Ingest(
            js,
            fleet,
            self.committer,
            self.mender,
            rejections,
            is_registered=around.registrations.keys.__contains__,
            is_wanted=lambda cluster, app: around.view.is_wanted(cluster, from_token(app)),
            now=around.now,
            limits=around.limits,
        )

    @classmethod
    async def begin(cls, around: Around) -> "Folding":
        """Go on from what is stored. BusError: try again."""
        loaded = await load(KeyValue(around.js, STATUSES))
        await around.showing.reached(loaded.revision)
        start = await starting_point(around.js, loaded)
        log.info("folding from", seq=start.seq, clusters=len(loaded.edge_records))
        bulk = Bulk(around.js)

        def on_stored(records: Stored, revision: int) -> None:
            for cluster, record in records.items():
                around.showing.edge(cluster, record)
            around.showing.stored(revision)

        edges = EdgeTable(bulk, loaded.edge_records, on_stored)
        return cls(around, Fleet.of(loaded), bulk, edges, start)

    async def run(self) -> None:
        """Fold until cancelled."""
        for cluster in sorted(self.around.registrations.removed):
            self._registered(cluster)
        self.around.registrations.listener = self._registered
        self.around.presence.listener = self._connected
        connection = self.around.js.connection
        connection.on_connected.append(self._reconnected)
        try:
            async with self.around.showing.written_here(), asyncio.TaskGroup() as tasks:
                tasks.create_task(self.committer.run(), name="commit")
                tasks.create_task(self.announcing.run(), name="announce presence")
                tasks.create_task(self.mender.run(), name="mend")
                tasks.create_task(self.ingest.run(self._start), name="fold")
        finally:
            self.around.registrations.listener = self.around.presence.listener = None
            connection.on_connected.remove(self._reconnected)

    async def _reconnected(self) -> None:
        self.ingest.arrival.interrupted()

    def _connected(self, cluster: ClusterName) -> None:
        self._fleet.connected(cluster)
        self.mender.connected(cluster)

    def _registered(self, cluster: ClusterName) -> None:
        """Take up a change of a registration; with a cluster goes what is known of it."""
        self.around.presence.concern([cluster])
        if cluster in self.around.registrations.removed:
            keys = self._fleet.forget(cluster)
            self.mender.forget(cluster)
            if keys or cluster in self._edges.records:
                pending = self.committer.pending
                for key in keys:
                    pending.said(key, Gone())
                pending.edges[cluster] = None
                self.committer.changed()
