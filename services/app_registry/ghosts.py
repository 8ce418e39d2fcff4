"""Records that come back: dropped from the stream, and in it again after a NATS server was killed.

A server that is killed may forget that a newer message had replaced an older one; when the newer one was purged, the older is the
last of its subject again. So a true record in the stream is no proof that its application is wanted there. It is over where

- people have deleted the application since: its bucket keeps the marker of that,
- the application is at home on another cluster, with a record there,
- the cluster was removed.

What is over is never signed again: it would be deployed once more, with nobody who wants it. It is ended anew, or dropped where
there is no cluster left. A bucket that was lost holds no markers, so nothing is over by that.
"""

import structlog

from app_registry.fleet import Fleet
from app_registry.generations import Generations
from app_registry.publisher import Publisher
from app_registry.tombstones import Tombstones
from outrider.names import AppName, ClusterName

log = structlog.get_logger()


class Ghosts:
    """Tells them, and lays them to rest."""

    def __init__(
        self, fleet: Fleet, generations: Generations, publisher: Publisher, tombstones: Tombstones
    ) -> None:
        self._fleet, self._generations = fleet, generations
        self._publisher, self._tombstones = publisher, tombstones

    def is_one(self, cluster: ClusterName, name: AppName) -> bool:
        """Whether an application's record on a cluster is over, and does not say so."""
        published = self._generations.get(cluster, name)
        if published is None:
            return False
        if cluster in self._fleet.placements.removed:
            return True
        return not published.is_tombstone and (name in self._fleet.ended or self._is_elsewhere(cluster, name))

    def _is_elsewhere(self, cluster: ClusterName, name: AppName) -> bool:
        home = self._fleet.placements.of(name)
        if home is None or home == cluster:
            return False
        there = self._generations.get(home, name)
        return there is not None and not there.is_tombstone

    async def lay(self, cluster: ClusterName, name: AppName) -> None:
        """End a record that is over. BusError: try again."""
        published = self._generations.get(cluster, name)
        if published is None:
            return
        log.warning("a record came back that was over", cluster=cluster, app=name)
        if cluster in self._fleet.placements.removed:
            await self._publisher.purge(cluster, name, published.seq)
        else:
            # Nobody runs it by this record; whatever there is of it was ended as people wanted it then.
            await self._tombstones.end(cluster, name, published.last.uid, propagation="")
