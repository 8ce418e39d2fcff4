"""Which application is for which registered cluster, kept up to date as either changes. No I/O."""

from collections import Counter

from app_registry.destinations import Target, UnknownDestination, resolve, waits_for
from app_registry.project import Place
from outrider.names import AppName, ClusterName
from outrider.records import ClusterRecord
from outrider.spec.metadata import RENDER

REMOVING = "outrider.dev/removing"
# Annotation of a cluster whose removal has begun: nothing is destined there any more.
DRAINING = "outrider.dev/draining"
# Annotation of a cluster: what runs there is to end. KEEP: its objects stay.
KEEP = "keep"
EPOCH = "outrider.dev/epoch"
# Annotation of a cluster: the epoch below which its numbers may not go.


class Placements:
    """Clusters by name and server, applications by cluster."""

    def __init__(self) -> None:
        self.clusters: dict[ClusterName, ClusterRecord] = {}
        self.removed: set[ClusterName] = set()
        # those that were registered once: the bucket keeps a marker, where it was not lost
        self.applications: Counter[ClusterName] = Counter()
        # how many are for each cluster
        self._usable: set[ClusterName] = set()
        self._by_server: dict[str, ClusterName] = {}
        # of usable clusters
        self._draining: dict[str, ClusterName] = {}
        # by name and by server
        self._destinations: dict[AppName, Target] = {}
        self._waiting: dict[str, set[AppName]] = {}
        # cluster name or server -> the applications whose destination it may decide
        self._placed: dict[AppName, ClusterName] = {}

    def resolve(self, destination: Target) -> ClusterName:
        """Return the cluster that is meant at this moment; UnknownDestination says why there is none."""
        try:
            return resolve(destination, self._usable, self._by_server)
        except UnknownDestination as error:
            draining = self._draining.get(destination.name or destination.server)
            if draining is None:
                raise
            raise UnknownDestination(
                f"cluster {draining!r} is being drained and takes nothing new: set another spec.destination, or end "
                f"that with `outrider cluster drain {draining} --cancel`"
            ) from error

    def is_draining(self, cluster: ClusterName) -> bool:
        """Whether what runs on a cluster is to end."""
        record = self.clusters.get(cluster)
        return record is not None and DRAINING in record.annotations

    def keeps_objects(self, cluster: ClusterName) -> bool:
        """Whether the objects of what ends on a draining cluster stay."""
        record = self.clusters.get(cluster)
        return record is not None and record.annotations.get(DRAINING) == KEEP

    def place(self, destination: Target, cluster: ClusterName | None) -> Place:
        """Return where an application is to run, as projects name places."""
        record = self.clusters.get(cluster) if cluster is not None else None
        server = destination.server or (record.server if record else "")
        return Place(cluster or destination.name, server, destination.namespace)

    def of(self, app: AppName) -> ClusterName | None:
        """Return the cluster that an application is for; None if its destination is not known."""
        return self._placed.get(app)

    def renders_at_edge(self, cluster: ClusterName | None) -> bool:
        """Whether a cluster's applications are rendered there unless they say otherwise."""
        record = self.clusters.get(cluster) if cluster is not None else None
        return record is not None and record.annotations.get(RENDER) == "edge"

    def with_server(self, server: str) -> ClusterName | None:
        """Return the cluster that is registered with a server URL."""
        return self._by_server.get(server)

    def put_cluster(self, name: ClusterName, record: ClusterRecord | None) -> set[AppName]:
        """Take in a cluster (None: it is gone); return the applications that it may concern."""
        before = self.clusters.pop(name, None)
        self._usable.discard(name)
        for known in (self._by_server, self._draining):
            for key in [key for key in (name, before.server if before else "") if known.get(key) == name]:
                del known[key]
        if record is None:
            self.removed.add(name)
        else:
            self.removed.discard(name)
            self.clusters[name] = record
            if DRAINING in record.annotations:
                self._draining |= {key: name for key in (name, record.server) if key}
            elif REMOVING not in record.annotations:
                self._usable.add(name)
                if record.server:
                    self._by_server[record.server] = name
        places = {name, *(one.server for one in (before, record) if one is not None and one.server)}
        concerned = {app for place in places for app in self._waiting.get(place, ())}
        for app in concerned:
            self._place(app)
        return concerned

    def put_application(self, app: AppName, destination: Target | None) -> None:
        """Take in an application's destination (None: it is gone)."""
        before = self._destinations.pop(app, None)
        if before is not None:
            for place in waits_for(before):
                self._waiting[place].discard(app)
                if not self._waiting[place]:
                    del self._waiting[place]
        if destination is not None:
            self._destinations[app] = destination
            for place in waits_for(destination):
                self._waiting.setdefault(place, set()).add(app)
        self._place(app)

    def _place(self, app: AppName) -> None:
        if (before := self._placed.pop(app, None)) is not None:
            self.applications[before] -= 1
        destination = self._destinations.get(app)
        if destination is None:
            return
        try:
            cluster = self.resolve(destination)
        except UnknownDestination:
            return
        self._placed[app] = cluster
        self.applications[cluster] += 1


def stored_epoch(record: ClusterRecord) -> int:
    """Return the epoch below which a cluster's numbers may not go; 0 if none is written down."""
    text = record.annotations.get(EPOCH, "")
    return int(text) if text.isdecimal() else 0
