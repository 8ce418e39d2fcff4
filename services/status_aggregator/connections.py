"""Which connections of the fleet are open, and so which clusters are online. Pure.

A cluster may have several: the old one has not timed out when the new one comes. It is online while any of them is open. Who a
connection belongs to is what its JWT says, which the server has verified; a key that is not the registered one of that name counts
for nothing, but is remembered, since a cluster may connect before its registration is seen here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from outrider.identity.claims import InvalidJwt, decode, is_pool
from outrider.names import ClusterName, InvalidName, cluster_name

CLOSED_MAX = 10_000
# Ends that are remembered, so that a snapshot from before them does not bring a connection back.
ABSENT_SNAPSHOTS = 2
# A server that is missing from this many snapshots in a row is gone, and its connections with it.


class ConnectionId(NamedTuple):
    """One connection, for ever: a server never uses a number twice, and has another id after a restart."""

    server: str
    number: int


class Identity(NamedTuple):
    """Who a JWT was issued to."""

    cluster: ClusterName
    public_key: str


class UnusableEvent(ValueError):
    """What the server told can't be read; the message holds nothing of it, since it may hold a JWT."""


def identity_of(jwt: Any) -> Identity | None:
    """Return which cluster a verified JWT is about, None if it is a pool's renderer; UnusableEvent if it says nothing usable."""
    try:
        claims = decode(jwt if isinstance(jwt, str) else "")
        if is_pool(claims):
            return None
        return Identity(cluster_name(str(claims["name"])), str(claims["sub"]))
    except (InvalidJwt, InvalidName, KeyError) as error:
        raise UnusableEvent("no usable JWT") from error


class Listed(NamedTuple):
    """All connections of one server at one moment."""

    server: str
    connections: Mapping[ConnectionId, Identity]


@dataclass
class Connections:
    """The table."""

    registered: Mapping[ClusterName, str]
    # cluster -> public key; kept up by its owner
    _open: dict[ConnectionId, Identity] = field(default_factory=dict)
    _of: dict[ClusterName, set[ConnectionId]] = field(default_factory=dict)
    _closed: dict[ConnectionId, None] = field(default_factory=dict)
    # in the order of their ends
    _since_snapshot: set[ConnectionId] = field(default_factory=set)
    _absent: dict[str, int] = field(default_factory=dict)
    # server -> snapshots in a row without it

    def is_online(self, cluster: ClusterName) -> bool:
        """Whether any connection of a cluster's registered key is open."""
        key = self.registered.get(cluster)
        return key is not None and any(self._open[c].public_key == key for c in self._of.get(cluster, ()))

    def is_known(self, identity: Identity) -> bool:
        """Whether a key is the registered one of its cluster."""
        return self.registered.get(identity.cluster) == identity.public_key

    def opened(self, connection: ConnectionId, identity: Identity) -> None:
        """Take up a new connection."""
        if connection not in self._closed:
            self._since_snapshot.add(connection)
            self._add(connection, identity)

    def closed(self, connection: ConnectionId) -> ClusterName | None:
        """Take up the end of a connection; return whose it was."""
        self._closed[connection] = None
        while len(self._closed) > CLOSED_MAX:
            del self._closed[next(iter(self._closed))]
        return self._drop(connection)

    def begin_snapshot(self) -> None:
        """What opens from here on need not be in the snapshot that is being taken."""
        self._since_snapshot.clear()

    def snapshot(self, servers: Iterable[Listed]) -> set[ClusterName]:
        """Replace the table by what the servers listed; return the clusters concerned.

        A server that did not answer keeps its connections for one more snapshot.
        """
        listed = {server.server: server.connections for server in servers}
        concerned: set[ClusterName] = set()
        for connection, identity in list(self._open.items()):
            if self._is_gone(connection, listed):
                concerned.add(identity.cluster)
                self._drop(connection)
        for connections in listed.values():
            for connection, identity in connections.items():
                if connection not in self._closed and connection not in self._open:
                    concerned.add(identity.cluster)
                    self._add(connection, identity)
        self._count_absent(listed)
        return concerned

    def _is_gone(
        self, connection: ConnectionId, listed: Mapping[str, Mapping[ConnectionId, Identity]]
    ) -> bool:
        if connection.server in listed:
            return connection not in listed[connection.server] and connection not in self._since_snapshot
        return self._absent.get(connection.server, 0) + 1 >= ABSENT_SNAPSHOTS

    def _count_absent(self, listed: Mapping[str, object]) -> None:
        servers = {connection.server for connection in self._open}
        self._absent = {server: self._absent.get(server, 0) + 1 for server in servers if server not in listed}

    @property
    def needs_another(self) -> bool:
        """Whether a server was missing from the last snapshot, which only another one can settle."""
        return bool(self._absent)

    def _add(self, connection: ConnectionId, identity: Identity) -> None:
        self._drop(connection)
        self._open[connection] = identity
        self._of.setdefault(identity.cluster, set()).add(connection)

    def _drop(self, connection: ConnectionId) -> ClusterName | None:
        identity = self._open.pop(connection, None)
        if identity is None:
            return None
        connections = self._of[identity.cluster]
        connections.discard(connection)
        if not connections:
            del self._of[identity.cluster]
        return identity.cluster
