"""Which cluster an application's destination means. Pure (DESIGN section 11, "Destination")."""

from collections.abc import Container, Mapping
from sys import intern
from typing import NamedTuple

from outrider.names import ClusterName
from outrider.spec.application import Destination

IN_CLUSTER = ClusterName("in-cluster")
IN_CLUSTER_SERVER = "https://kubernetes.default.svc"
# What Argo CD calls the cluster that it runs in. Here it is a name like any other: the hub has no cluster of its own.


class Target(NamedTuple):
    """A destination, as it is kept for each application of a fleet."""

    name: str = ""
    server: str = ""
    namespace: str = ""

    @classmethod
    def of(cls, destination: Destination) -> "Target":
        """Return what a checked destination says."""
        return cls(intern(destination.name), intern(destination.server), intern(destination.namespace))

    @property
    def cluster(self) -> ClusterName | None:
        """The cluster that is named, if one is."""
        return ClusterName(self.name) if self.name else None


class UnknownDestination(Exception):
    """A destination that no registered cluster answers to; the message says what to do."""


def resolve(
    destination: Target, clusters: Container[ClusterName], by_server: Mapping[str, ClusterName]
) -> ClusterName:
    """Return the registered cluster that is meant; UnknownDestination if there is none."""
    if destination.cluster is None:
        return _by_server(destination.server, clusters, by_server)
    if destination.cluster in clusters:
        return destination.cluster
    raise UnknownDestination(
        f"spec.destination.name: no cluster {destination.name!r} is registered; "
        f"add it with `outrider cluster add {destination.name}`"
    )


def _by_server(
    server: str, clusters: Container[ClusterName], by_server: Mapping[str, ClusterName]
) -> ClusterName:
    if server in by_server:
        return by_server[server]
    if server != IN_CLUSTER_SERVER:
        raise UnknownDestination(
            f"spec.destination.server: no cluster is registered with server {server}; "
            "name a cluster in spec.destination.name, or add one with `outrider cluster add NAME --server URL`"
        )
    if IN_CLUSTER in clusters:
        return IN_CLUSTER
    raise UnknownDestination(
        f"spec.destination.server: {server} is the cluster that Argo CD runs in, and none is registered as "
        f"{IN_CLUSTER!r} here; name a cluster in spec.destination.name"
    )


def waits_for(destination: Target) -> tuple[str, ...]:
    """Return what to look an application up by when a cluster changes: cluster names and server URLs."""
    if destination.name:
        return (destination.name,)
    if destination.server == IN_CLUSTER_SERVER:
        return (destination.server, IN_CLUSTER)
    return (destination.server,)
