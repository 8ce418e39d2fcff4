"""Which record each application on each cluster had last, and in what order: an index over stream DESIRED.

The stream is the truth, as far as this hub has signed what is in it; this is rebuilt by reading it. A cluster's records are numbered without holes within an epoch, and a
number is given out once: an edge refuses what is not above what it holds. So the newest record of a cluster holds its
number, and is not purged even when it is a tombstone that was carried out. The epoch rises when an edge has seen more than
the stream holds (a hub restored from a backup); it is kept in the cluster's record, and what was signed in an older epoch is
signed again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import combinations
from sys import intern

from app_registry.desired import ALIKE_MAX, Last
from outrider.generations import Holding, holdings_digest
from outrider.identity.signatures import SIGNATURE_BYTES
from outrider.messages import Desired, Generation
from outrider.names import AppName, ClusterName
from outrider.subjects import SETTINGS

NOTHING = Generation(0, 0)
FIRST_EPOCH = 1
TOLD_APART_MAX = 4
# Tombstones of a cluster of which each selection is looked at: a digest each.


@dataclass(frozen=True, slots=True)
class Published:
    """One record in the stream."""

    generation: Generation
    seq: int
    size_bytes: int
    last: Last
    status_revision: int = 0
    # of a tombstone: the application's status when it was written

    @property
    def is_tombstone(self) -> bool:
        """Whether it ends the application."""
        return self.last.digest is None

    @property
    def holding(self) -> Holding:
        """What an edge that holds it compares."""
        return Holding(self.generation, self.last.content)


@dataclass(slots=True)
class _Cluster:
    published: dict[AppName, Published] = field(default_factory=dict)
    done: set[AppName] = field(default_factory=set)
    # tombstones that were carried out; the newest stays for its number
    forged: set[AppName] = field(default_factory=set)
    # what the stream holds of these is not signed by this hub: no edge is told of it, and it is written again
    allocated: Generation = NOTHING
    in_flight: set[Generation] = field(default_factory=set)
    digest: bytes | None = None

    def newest(self) -> Generation:
        """The highest number in the stream."""
        return max((one.generation for one in self.published.values()), default=NOTHING)


@lru_cache(maxsize=ALIKE_MAX)
def _generation(epoch: int, counter: int) -> Generation:
    return Generation(epoch, counter)


@lru_cache(maxsize=ALIKE_MAX)
def _alone(cluster: ClusterName) -> tuple[ClusterName, ...]:
    return (cluster,)


class Generations:
    """The index."""

    def __init__(self) -> None:
        self._clusters: dict[ClusterName, _Cluster] = {}
        self._places: dict[AppName, tuple[ClusterName, ...]] = {}

    def stored(
        self, cluster: ClusterName, app: AppName, seq: int, sealed: bytes, record: Desired | None = None
    ) -> bool:
        """Take in a record of the stream; return whether it was not known. MalformedMessage if it is none.

        `record`: what is sealed, where that is at hand.
        """
        of = self._clusters.setdefault(cluster, _Cluster())
        known = of.published.get(app)
        if known is not None and known.seq >= seq:
            return False
        record = record or Desired.unpack(sealed[SIGNATURE_BYTES:])
        last = Last.of(record)
        if known is not None and record.generation <= known.generation:
            # Written by a replica that had lost its lease: the edge refuses it, so it counts as no record at all.
            last = replace(last, uid=b"")
        noted = record.spec.get("status", 0) if record.is_tombstone else 0
        app = AppName(intern(app))
        generation = _generation(record.epoch, record.counter)
        of.published[app] = Published(generation, seq, len(sealed), last, int(noted))
        of.allocated = max(of.allocated, record.generation)
        self._indexed(of, cluster, app)
        return True

    def knows(self, cluster: ClusterName, app: AppName, seq: int) -> bool:
        """Whether a record of the stream, or a newer one, is in the index."""
        known = self.get(cluster, app)
        return known is not None and known.seq >= seq

    def forged(self, cluster: ClusterName, app: AppName, seq: int, size_bytes: int) -> None:
        """Take in that the stream holds something that this hub has not signed: it counts as no record."""
        of = self._clusters.setdefault(cluster, _Cluster())
        known = of.published.get(app)
        last = replace(known.last, uid=b"") if known else Last(b"", b"", "", b"")
        generation = known.generation if known else NOTHING
        of.published[app] = Published(generation, seq, size_bytes, last)
        self._indexed(of, cluster, app)
        of.forged.add(app)

    def is_forged(self, cluster: ClusterName, app: AppName) -> bool:
        """Whether what the stream holds of an application was not signed by this hub."""
        of = self._clusters.get(cluster)
        return of is not None and app in of.forged

    def _indexed(self, of: _Cluster, cluster: ClusterName, app: AppName) -> None:
        of.done.discard(app)
        of.forged.discard(app)
        of.digest = None
        # Settings are at every cluster; nobody asks where.
        if app != SETTINGS and cluster not in self._places.get(app, ()):
            places = self._places.get(app, ())
            self._places[app] = (*places, cluster) if places else _alone(cluster)

    def get(self, cluster: ClusterName, app: AppName) -> Published | None:
        """Return an application's record on a cluster."""
        of = self._clusters.get(cluster)
        return of.published.get(app) if of else None

    def places(self, app: AppName) -> tuple[ClusterName, ...]:
        """Return the clusters that have a record of an application, tombstones included."""
        return self._places.get(app, ())

    def clusters(self) -> list[ClusterName]:
        """Return every cluster that has a record."""
        return list(self._clusters)

    @property
    def cluster_count(self) -> int:
        """How many clusters have a record."""
        return len(self._clusters)

    def of_cluster(self, cluster: ClusterName) -> dict[AppName, Published]:
        """Return a cluster's records."""
        of = self._clusters.get(cluster)
        return dict(of.published) if of else {}

    # Numbers

    def allocate(self, cluster: ClusterName) -> Generation:
        """Return the next number of a cluster; it is in flight until `settled`."""
        of = self._clusters.setdefault(cluster, _Cluster())
        of.allocated = Generation(max(of.allocated.epoch, FIRST_EPOCH), of.allocated.counter + 1)
        of.in_flight.add(of.allocated)
        return of.allocated

    def settled(self, cluster: ClusterName, generation: Generation) -> None:
        """The fate of a number is known, or will be learnt from the stream."""
        if (of := self._clusters.get(cluster)) is not None:
            of.in_flight.discard(generation)

    def allocated(self, cluster: ClusterName) -> Generation:
        """Return the highest number ever given out."""
        of = self._clusters.get(cluster)
        return of.allocated if of else NOTHING

    def raise_epoch(self, cluster: ClusterName, epoch: int) -> None:
        """Number from `epoch` on, unless that is reached already."""
        of = self._clusters.setdefault(cluster, _Cluster())
        if of.allocated.epoch < epoch:
            of.allocated = Generation(epoch, 0)

    def outdated(self, cluster: ClusterName) -> list[AppName]:
        """Return the applications whose record was signed in an older epoch."""
        of = self._clusters.get(cluster)
        if of is None:
            return []
        return [app for app, one in of.published.items() if one.generation.epoch < of.allocated.epoch]

    def is_outdated(self, cluster: ClusterName, app: AppName) -> bool:
        """Whether an application's record was signed in an older epoch."""
        of, one = self._clusters.get(cluster), self.get(cluster, app)
        return of is not None and one is not None and one.generation.epoch < of.allocated.epoch

    # What an edge is told

    def newest(self, cluster: ClusterName) -> Generation:
        """Return the number up to which the stream holds all that was given out."""
        of = self._clusters.get(cluster)
        if of is None:
            return NOTHING
        newest = max(of.newest(), Generation(of.allocated.epoch, 0))
        if of.in_flight:
            lowest = min(of.in_flight)
            newest = min(newest, Generation(lowest.epoch, lowest.counter - 1))
        return newest

    def is_quiet(self, cluster: ClusterName) -> bool:
        """Whether nothing is on its way into the stream."""
        of = self._clusters.get(cluster)
        return of is None or not of.in_flight

    def after(self, cluster: ClusterName, generation: Generation) -> list[tuple[AppName, Published]]:
        """Return the records above a number, in their order, but for tombstones that were carried out."""
        above = [(app, one) for app, one in self._live(cluster) if one.generation > generation]
        return sorted(above, key=lambda item: item[1].generation)

    def digest(self, cluster: ClusterName) -> bytes:
        """Return the digest of what an edge holds that has seen everything."""
        of = self._clusters.get(cluster)
        if of is None:
            return holdings_digest({})
        if of.digest is None:
            of.digest = holdings_digest({app: one.holding for app, one in self._live(cluster)})
        return of.digest

    def digest_without_tombstones(self, cluster: ClusterName) -> bytes:
        """Return the digest of what an edge holds that has carried out every tombstone."""
        live = self._live(cluster)
        return holdings_digest({app: one.holding for app, one in live if not one.is_tombstone})

    def is_on_its_way(self, cluster: ClusterName, held: bytes) -> bool:
        """Whether a digest is that of an edge that has carried out some of the tombstones, and not yet the others."""
        live = {app: one.holding for app, one in self._live(cluster)}
        ending = self.tombstones(cluster)
        if len(ending) > TOLD_APART_MAX:
            return False
        return any(
            held == holdings_digest({app: one for app, one in live.items() if app not in done})
            for count in range(1, len(ending))
            for done in combinations(ending, count)
        )

    def _live(self, cluster: ClusterName) -> Iterator[tuple[AppName, Published]]:
        of = self._clusters.get(cluster)
        if of is not None:
            kept = of.done | of.forged
            yield from ((app, one) for app, one in of.published.items() if app not in kept)

    # Tombstones

    def tombstones(self, cluster: ClusterName) -> list[AppName]:
        """Return the applications whose tombstone waits for its edge."""
        return [app for app, one in self._live(cluster) if one.is_tombstone]

    def is_done(self, cluster: ClusterName, app: AppName) -> bool:
        """Whether an application's tombstone was carried out."""
        of = self._clusters.get(cluster)
        return of is not None and app in of.done

    def carried_out(self, cluster: ClusterName, app: AppName) -> None:
        """The edge has done what the tombstone says."""
        of = self._clusters[cluster]
        of.done.add(app)
        of.digest = None

    def purgeable(self, cluster: ClusterName) -> list[tuple[AppName, Published]]:
        """Return the tombstones that were carried out and whose number nothing depends on."""
        of = self._clusters.get(cluster)
        if of is None or not of.done:
            return []
        newest = of.newest()
        return [(app, of.published[app]) for app in sorted(of.done) if of.published[app].generation < newest]

    def purged(self, cluster: ClusterName, app: AppName, seq: int) -> None:
        """The stream has dropped what it held of an application up to `seq`."""
        of = self._clusters.get(cluster)
        if of is None or app not in of.published or of.published[app].seq > seq:
            return
        del of.published[app]
        of.done.discard(app)
        of.forged.discard(app)
        of.digest = None
        places = tuple(place for place in self._places.pop(app, ()) if place != cluster)
        if places:
            self._places[app] = places

    def forget(self, cluster: ClusterName) -> list[AppName]:
        """Drop a cluster; return the applications that had a record there."""
        apps = list(self.of_cluster(cluster))
        for app in apps:
            self.purged(cluster, app, self._clusters[cluster].published[app].seq)
        self._clusters.pop(cluster, None)
        return apps
