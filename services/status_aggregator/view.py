"""What answers are made from: every application and cluster, in memory, kept up by watching the hub's buckets.

The order in which facts arrive does not matter: an application may be known before its cluster, a status before its application.
Documents are not kept here: who asks for one document is answered from the bucket.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from outrider.names import ClusterName
from outrider.records import ClusterRecord, EdgeRecord
from status_aggregator.freshness import Freshness, FreshnessLimits, Presence
from status_aggregator.hub_clock import Moment
from status_aggregator.ordered import OrderedNames
from status_aggregator.rows import NOWHERE, Application, Row, Seen, Wanted, row
from status_aggregator.tally import Cluster, Shown, Tally

Conditions = tuple[tuple[str, str], ...]
# Type and message of each.
FUTURE_MS = 60_000
# The clocks of the hub's machines may differ by this; a record from further ahead was written before the clock was set back.


class View:
    """The whole fleet. Changes come from one loop for each source; reading never waits."""

    def __init__(self, limits: FreshnessLimits) -> None:
        self._clusters: dict[ClusterName, Cluster] = {NOWHERE: Cluster(NOWHERE)}
        self._applications: dict[str, Application] = {}
        self._told: dict[str, tuple[Conditions, str]] = {}
        # conditions and cluster of applications that are not known yet, or no longer
        self._placed: dict[str, tuple[ClusterName, Shown]] = {}
        # how each application is counted
        self._destined: dict[str, set[str]] = {}
        # applications by everything that may name their cluster
        self._at_server: dict[str, set[ClusterName]] = {}
        # registered clusters by server URL
        self.tally = Tally(limits)
        self.names = OrderedNames()
        self.cluster_names = OrderedNames()

    @property
    def presences(self) -> Counter[Presence]:
        """The registered clusters by presence."""
        found: Counter[Presence] = Counter()
        for (presence, _), count in self.tally.clusters.items():
            found[presence] += count
        return found

    def application(self, name: str) -> Application | None:
        """Return an application; None if there is none of that name."""
        return self._applications.get(name)

    def cluster_of(self, name: str) -> Cluster:
        """Return the cluster that an application is destined to; `NOWHERE`'s if it is not registered."""
        return self._clusters[self._placed[name][0]]

    def cluster(self, name: str) -> Cluster | None:
        """Return a registered cluster."""
        found = self._clusters.get(ClusterName(name))
        return found if found and found.record else None

    def clusters_after(self, name: str) -> Iterator[Cluster]:
        """Yield the registered clusters after a name, in order. Not valid across a change."""
        return (self._clusters[ClusterName(found)] for found in self.cluster_names.after(name))

    def shown(self, name: str) -> tuple[str, str, Freshness]:
        """Return sync, health and freshness of an application, without putting together the rest."""
        place, shown = self._placed[name]
        return shown.sync, shown.health, self._clusters[place].freshness_of(shown)

    def row(self, name: str) -> Row:
        """Return an application as it is shown."""
        cluster = self.cluster_of(name)
        return row(self._applications[name], cluster.name, cluster.wanted.get(name), cluster.seen.get(name))

    def is_wanted(self, cluster: ClusterName, name: str) -> bool:
        """Whether there is a Desired record of an application on a cluster, be it that it is to go."""
        found = self._clusters.get(cluster)
        return found is not None and name in found.wanted

    def put_application(self, name: str, application: Application | None) -> None:
        """Take up an application; None: it is gone."""
        known = self._applications.get(name)
        if known is not None:
            self._unlink(known)
        if application is not None:
            if known is None:
                self.names.add(name)
            told = (known.conditions, known.told_cluster) if known else self._told.pop(name, ((), ""))
            self._link(replace(application, conditions=told[0], told_cluster=told[1]))
        elif known is not None:
            self._uncount(name)
            del self._applications[name], self._placed[name]
            self.names.remove(name)
            self.put_conditions(name, known.conditions, known.told_cluster)

    def put_conditions(self, name: str, conditions: Conditions, cluster: str) -> None:
        """Take up what the registry says of an application."""
        if (known := self._applications.get(name)) is not None:
            self._unlink(known)
            self._link(replace(known, conditions=conditions, told_cluster=cluster))
        elif conditions or cluster:
            self._told[name] = conditions, cluster
        else:
            self._told.pop(name, None)

    def put_cluster(self, name: ClusterName, record: ClusterRecord | None) -> None:
        """Take up a registration; None: it is gone."""
        cluster = self._known(name)
        before, cluster.record = cluster.record, record
        if before is None and record is not None:
            self.cluster_names.add(name)
        if before is not None and record is None:
            self.cluster_names.remove(name)
        self.tally.place(cluster)
        destinations = {str(name)}
        for known in (before, record):
            if known is not None and known.server:
                destinations.add(known.server)
                clusters = self._at_server.setdefault(known.server, set())
                (clusters.add if known is record else clusters.discard)(name)
        for application in {app for found in destinations for app in self._destined.get(found, ())}:
            self._count(application)

    def put_edge(
        self, name: ClusterName, edge: EdgeRecord | None, now: Moment, *, is_live: bool = True
    ) -> None:
        """Take up presence and last word of a cluster. `is_live`: it was written just now, not found when reading began."""
        cluster = self._known(name)
        before, cluster.edge = cluster.edge, edge
        if edge is None:
            cluster.heard_ms = cluster.connected_ms = None
        else:
            if before is None or _word(before) != _word(edge):
                cluster.heard_ms = _heard_ms(edge, now, is_live=is_live)
            if before is None or before.turn != edge.turn or before.online != edge.online:
                cluster.connected_ms = _connected_ms(edge, cluster.heard_ms, now, is_live=is_live)
        self.tally.judge(cluster, now.passed_ms)

    def put_connected(self, name: ClusterName, now: Moment, *, is_connected: bool) -> None:
        """Take up what the server says of a cluster's connections: a record that says it is there may be one of long ago."""
        cluster = self._clusters.get(name)
        if cluster is not None and cluster.is_seen_away == is_connected:
            cluster.is_seen_away = not is_connected
            self.tally.judge(cluster, now.passed_ms)

    def put_seen(self, name: ClusterName, app: str, seen: Seen | None) -> None:
        """Take up what an edge said of an application; None: it has it no longer."""
        cluster = self._known(name)
        if seen is not None:
            cluster.seen[app] = seen
        else:
            cluster.seen.pop(app, None)
            if (wanted := cluster.wanted.get(app)) and wanted.is_tombstone:
                # It has done its work; that it is purged from its stream is not told.
                del cluster.wanted[app]
        self._count_at(name, app)

    def put_about(self, name: ClusterName, packed: bytes) -> None:
        """Take up what an edge said of itself, packed; empty: nothing."""
        self._known(name).about = packed

    def put_wanted(self, name: ClusterName, app: str, wanted: Wanted) -> None:
        """Take up the newest Desired record of an application."""
        self._known(name).wanted[app] = wanted
        self._count_at(name, app)

    def _known(self, name: ClusterName) -> Cluster:
        found = self._clusters.get(name)
        if found is None:
            found = self._clusters[name] = Cluster(name)
        return found

    def _link(self, application: Application) -> None:
        self._applications[application.name] = application
        for destination in (application.destination, application.told_cluster):
            self._destined.setdefault(destination, set()).add(application.name)
        self._count(application.name)

    def _unlink(self, application: Application) -> None:
        for destination in (application.destination, application.told_cluster):
            destined = self._destined.get(destination, set())
            destined.discard(application.name)
            if not destined:
                self._destined.pop(destination, None)

    def _place(self, application: Application) -> ClusterName:
        for name in (application.told_cluster, application.destination):
            if (found := self.cluster(name)) is not None:
                return found.name
        return min(self._at_server.get(application.destination, ()), default=NOWHERE)

    def _count_at(self, cluster: ClusterName, app: str) -> None:
        placed = self._placed.get(app)
        if placed is not None and placed[0] == cluster:
            self._count(app)

    def _count(self, name: str) -> None:
        """Count an application where and as it is, no longer as it was."""
        application = self._applications[name]
        cluster = self._clusters[self._place(application)]
        seen = cluster.seen.get(name)
        found = row(application, cluster.name, cluster.wanted.get(name), seen)
        shown = _shown(found.sync, found.health, seen is not None and seen.reported.is_newest)
        before = self._placed.get(name)
        if before == (cluster.name, shown):
            return
        if before is not None and before[0] == cluster.name:
            self.tally.add(cluster, before[1], -1)
        else:
            self._uncount(name)
            cluster.names.add(name)
        self._placed[name] = cluster.name, shown
        self.tally.add(cluster, shown, 1)

    def _uncount(self, name: str) -> None:
        if (before := self._placed.get(name)) is not None:
            cluster = self._clusters[before[0]]
            cluster.names.remove(name)
            self.tally.add(cluster, before[1], -1)


@cache
def _shown(sync: str, health: str, is_heard: bool) -> Shown:
    """Return one object for all applications that are counted alike."""
    return Shown(sync, health, is_heard)


def _word(edge: EdgeRecord) -> tuple[int, int, int]:
    """Tell one word from the next: a change of presence alone is none."""
    return edge.epoch, edge.seq, edge.heard_at_ms


def _heard_ms(edge: EdgeRecord, now: Moment, *, is_live: bool) -> int | None:
    """Return when a word came, in passed time; None if there is none, or nobody knows."""
    if not edge.heard_at_ms or edge.heard_late_ms < 0:
        return None
    if is_live:
        # Whatever the clock of whoever wrote it says.
        return now.passed_ms - edge.heard_late_ms
    ago_ms = now.unix_ms - edge.heard_at_ms
    return None if ago_ms < -FUTURE_MS else now.passed_ms - max(ago_ms, edge.heard_late_ms)


def _connected_ms(edge: EdgeRecord, heard_ms: int | None, now: Moment, *, is_live: bool) -> int | None:
    """Return since when a cluster has been online, in passed time."""
    if not edge.online:
        return None
    if is_live or heard_ms is None:
        return now.passed_ms
    # One clock told both times, whatever this one says.
    return heard_ms + edge.since_ms - edge.heard_at_ms
