"""Which clusters are registered, with which key: what says whose word counts."""

from collections.abc import Callable
from dataclasses import dataclass, field

from outrider.names import ClusterName
from outrider.records import ClusterRecord


@dataclass
class Registrations:
    """Bucket `clusters`, as far as it decides. A listener is told of every change."""

    keys: dict[ClusterName, str] = field(default_factory=dict)
    removed: set[ClusterName] = field(default_factory=set)
    # explicitly, and not registered again: what is known of them goes too
    listener: Callable[[ClusterName], None] | None = None

    def put(self, cluster: ClusterName, record: ClusterRecord | None) -> None:
        """Take up a registration; None: it was removed."""
        if record is not None:
            self.keys[cluster] = record.public_key
            self.removed.discard(cluster)
        else:
            self.keys.pop(cluster, None)
            self.removed.add(cluster)
        if self.listener is not None:
            self.listener(cluster)
