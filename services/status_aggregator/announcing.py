"""A change of presence made known: an event for others first, then the record in the bucket.

A crash between the two repeats the event under the same id.
"""

from collections.abc import Callable

import structlog

from outrider.bus import BusError
from outrider.bus.jetstream import JetStream
from outrider.names import ClusterName
from outrider.records import EdgeRecord
from status_aggregator import events
from status_aggregator.bulk import Bulk, Put
from status_aggregator.hub_clock import Moment
from status_aggregator.presence import Presence
from status_aggregator.records import EdgeTable

log = structlog.get_logger()


class Announcing:
    """The loop of the aggregator that folds."""

    def __init__(
        self,
        js: JetStream,
        presence: Presence,
        edges: EdgeTable,
        *,
        on_online: Callable[[ClusterName], None],
        may_write: Callable[[], bool],
        now: Callable[[], Moment],
    ) -> None:
        self._connection, self._events = js.connection, Bulk(js)
        self._presence, self._edges = presence, edges
        self._on_online = on_online
        self._may_write, self._now = may_write, now
        self.changes = 0

    async def run(self) -> None:
        """Announce until cancelled."""
        self._presence.concern({*self._presence.connections.registered, *self._edges.records})
        while True:
            concerned = await self._presence.concerned()
            try:
                await self._announce(sorted(concerned))
            except BusError as error:
                log.warning("presence not written, trying again", reason=str(error), clusters=len(concerned))
                self._presence.concern(concerned)
                await self._connection.pause()
                await self._connection.wait_connected()

    async def _announce(self, clusters: list[ClusterName]) -> None:
        """Bring the records of clusters to what is known."""
        if not self._may_write():
            self._presence.concern(clusters)
            await self._connection.pause()
            return
        now_ms = self._now().unix_ms
        changed = {c: self._presence.connections.is_online(c) for c in clusters if self._has_changed(c)}
        turns = {c: _turn(self._edges.get(c)) for c in changed}
        told = [
            events.of_presence(
                c, online=online, turn=turns[c], at_ms=now_ms, heard_at_ms=self._edges.get(c).heard_at_ms
            )
            for c, online in changed.items()
        ]
        await self._events.write([Put(event.subject, event.body, event.headers) for event in told])
        await self._edges.write(
            {
                c: {"online": online, "since_ms": now_ms, "turn": max(now_ms, turns[c] + 1)}
                for c, online in changed.items()
            }
        )
        self.changes += len(changed)
        for cluster, online in changed.items():
            log.info("cluster online" if online else "cluster offline", cluster=cluster)
            if online:
                self._on_online(cluster)

    def _has_changed(self, cluster: ClusterName) -> bool:
        connections = self._presence.connections
        online = connections.is_online(cluster)
        if cluster not in connections.registered or online == self._edges.get(cluster).online:
            return False
        return online or self._presence.is_known.is_set()


def _turn(record: EdgeRecord) -> int:
    """Return where the next change of presence stands among those of its cluster; older records have no number but their time."""
    return record.turn or record.since_ms
