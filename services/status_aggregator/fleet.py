"""The folded state of every edge, in memory. The bucket has it too, as far as it was committed."""

from dataclasses import dataclass, field

from msgspec.structs import replace

from outrider.names import ClusterName
from status_aggregator.clock import ClockOffset
from status_aggregator.edge import Edge, Known, begin_gathering
from status_aggregator.records import Key, Loaded


@dataclass
class Fleet:
    """Every edge, and how far its clock is off."""

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
