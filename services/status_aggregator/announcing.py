"""A change of presence made known: an event for others first, then the record in the bucket.

A crash between the two repeats the event under the same id.
"""

from collections.abc import Callable

import structlog

from outrider.bus import BusError
from outrider.bus.jetstream import JetStream
from outrider.names import ClusterName
from status_aggregator import events
from status_aggregator.pipeline import all_written
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
        now_ms: Callable[[], int],
    ) -> None:
        self._js, self._presence, self._edges = js, presence, edges
        self._on_online = on_online
        self._may_write, self._now_ms = may_write, now_ms
        self.changes = 0

    async def run(self) -> None:
        """Announce until cancelled."""
        self._presence.concern({*self._presence.connections.registered, *self._edges.records})
        while True:
            concerned = await self._presence.concerned()
            try:
                await all_written(self._announce(cluster) for cluster in sorted(concerned))
            except BusError as error:
                log.warning("presence not written, trying again", reason=str(error), clusters=len(concerned))
                self._presence.concern(concerned)
                await self._js.connection.pause()
                await self._js.connection.wait_connected()

    async def _announce(self, cluster: ClusterName) -> None:
        """Bring the record of a cluster to what is known; nothing happens where that is so."""
        connections, record = self._presence.connections, self._edges.get(cluster)
        online = connections.is_online(cluster)
        if cluster not in connections.registered or online == record.online:
            return
        if not (self._presence.is_known or online) or not self._may_write():
            return
        now_ms = self._now_ms()
        event = events.of_presence(cluster, online=online, before_since_ms=record.since_ms, at_ms=now_ms)
        await self._js.publish(event.subject, event.body, event.headers)
        await self._edges.update(cluster, online=online, since_ms=now_ms)
        self.changes += 1
        log.info("cluster online" if online else "cluster offline", cluster=cluster)
        if online:
            self._on_online(cluster)
