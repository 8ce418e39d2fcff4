"""The end of an application on a cluster: a signed record that stays until the edge is known to have carried it out.

What proves it: the aggregator has deleted the application's status since the tombstone was written, or the edge says in a
resync that it holds everything but that tombstone. Until then the tombstone is the subject's last value, so a cluster that
comes back after a year still learns of it. Nothing tells when a status is deleted (following all status of a fleet would
cost more than asking): it is asked for, with a growing and jittered delay, and at once when the cluster is heard from.

A tombstone that was carried out is purged, unless it is its cluster's newest record: that one holds the cluster's number
until the next record comes.
"""

import random
from collections.abc import Callable

import structlog

from app_registry.desired import tombstone
from app_registry.fleet import Fleet
from app_registry.generations import Generations
from app_registry.publisher import Publisher
from app_registry.work_queue import WorkQueue
from outrider.backoff import Backoff
from outrider.bus.entries import current
from outrider.bus.jetstream import JetStream
from outrider.names import AppName, ClusterName, token
from outrider.topology import STATUSES

log = structlog.get_logger()

LOOK = Backoff(first_s=0.25, cap_s=120.0)
# An edge removes most applications within seconds; one that is offline is asked about every two minutes at most.
CONCURRENT_MAX = 64

Place = tuple[ClusterName, AppName]


class Tombstones:
    """Writes tombstones, waits for their edges, purges them."""

    def __init__(
        self,
        js: JetStream,
        fleet: Fleet,
        generations: Generations,
        publisher: Publisher,
        carried_out: Callable[[AppName], None],
        rng: random.Random,
    ) -> None:
        """`carried_out` is told of each application that has ended on a cluster."""
        self._js, self._fleet, self._generations, self._publisher = js, fleet, generations, publisher
        self._carried_out, self._rng = carried_out, rng
        self._looks: dict[Place, int] = {}
        self._unproven: set[Place] = set()
        # those written for an application that is gone already: that it is gone proves nothing of them
        self._queue: WorkQueue[Place] = WorkQueue(
            "tombstone", self._look, concurrent_max=CONCURRENT_MAX, rng=rng
        )

    async def end(self, cluster: ClusterName, app: AppName, uid: bytes, *, propagation: str) -> None:
        """Write an application's tombstone on a cluster, unless it is there. `propagation` empty: its objects stay."""
        published = self._generations.get(cluster, app)
        if published is None or self._generations.is_done(cluster, app):
            return
        last = published.last
        wanted = (uid, bool(propagation), propagation)
        if not (published.is_tombstone and (last.uid, last.cascade, last.propagation) == wanted):
            status = await current(self._js, STATUSES, _status_key(cluster, app))
            content = tombstone(uid, propagation=propagation, status_revision=status.revision)
            await self._publisher.publish(cluster, app, content)
            if app not in self._fleet.applications:
                self._unproven.add((cluster, app))
            log.info("application ends", app=app, cluster=cluster, propagation=propagation)
            self._looks.pop((cluster, app), None)
        self._queue.add((cluster, app))

    def look_at(self, cluster: ClusterName) -> None:
        """Look at a cluster's tombstones soon: it was heard from, or a newer record has come."""
        for app in (
            *self._generations.tombstones(cluster),
            *(a for a, _ in self._generations.purgeable(cluster)),
        ):
            self._looks.pop((cluster, app), None)
            self._queue.add((cluster, app))

    def prove(self, cluster: ClusterName) -> None:
        """Take in that the edge holds everything but its tombstones."""
        for app in self._generations.tombstones(cluster):
            self._done(cluster, app)

    async def run(self) -> None:
        """Wait for edges until cancelled. Begins with every tombstone in the stream."""
        for cluster in self._generations.clusters():
            self.look_at(cluster)
        await self._queue.run()

    async def _look(self, place: Place) -> None:
        cluster, app = place
        published = self._generations.get(cluster, app)
        if published is None or not published.is_tombstone:
            self._looks.pop(place, None)
            return
        if not self._generations.is_done(cluster, app):
            carried_out = await self._is_carried_out(cluster, app, published.status_revision)
            if self._generations.get(cluster, app) is not published:
                self._queue.add(place)
                return
            if not carried_out:
                attempt = self._looks.get(place, 0)
                self._looks[place] = attempt + 1
                self._queue.add_after(LOOK.delay_s(attempt, self._rng), place)
                return
            self._done(cluster, app)
        self._looks.pop(place, None)
        if any(app == name for name, _ in self._generations.purgeable(cluster)):
            await self._publisher.purge(cluster, app, published.seq)

    async def _is_carried_out(self, cluster: ClusterName, app: AppName, status_revision: int) -> bool:
        known = app in self._fleet.applications or app in self._fleet.damaged
        if not known and (cluster, app) not in self._unproven:
            # Its record is deleted only after that.
            return True
        status = await current(self._js, STATUSES, _status_key(cluster, app))
        return status.value is None and status.revision > status_revision

    def _done(self, cluster: ClusterName, app: AppName) -> None:
        log.info("application ended", app=app, cluster=cluster)
        self._unproven.discard((cluster, app))
        self._generations.carried_out(cluster, app)
        self._carried_out(app)
        self._queue.add((cluster, app))


def _status_key(cluster: ClusterName, app: AppName) -> str:
    return f"{cluster}.{token(app)}"
