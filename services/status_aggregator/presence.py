"""Which clusters are online, from the NATS server's own word. It costs an edge no byte.

The server tells of every connection that opens or closes; only the JWT in what it tells is believed, since the server has verified it and all
else is what a client wrote. At the start, after every reconnect, after a dropped message and now and then, a snapshot of all open
connections mends what was missed. The events hold JWTs: they are never logged.

Renderers of pools are in the same account, and are none of its business: whether they work is known to who works with them.

Every aggregator watches; the one that folds makes it known (`announcing`).
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import structlog

from outrider.bus import BusError, Connection, RequestTimedOut
from outrider.bus.model import Message
from outrider.identity.accounts import PRESENCE_CONNECTED, PRESENCE_CONNECTIONS, PRESENCE_DISCONNECTED
from outrider.names import ClusterName
from status_aggregator.connections import (
    ConnectionId,
    Connections,
    Identity,
    Listed,
    UnusableEvent,
    identity_of,
)
from status_aggregator.rejections import Rejections

log = structlog.get_logger()

PAGE = 256
# Connections an answer: with their JWTs some 300 KB, below what one message may hold.
OVERLAP = 16
# Pages overlap: a connection that closes meanwhile moves the later ones forward.
GATHER_S = 0.3
# Without another answer for this long, all servers have answered.
FIRST_ANSWER_S = 5.0
SNAPSHOT_EVERY_S = 300.0


class Presence:
    """The loop, and what it knows."""

    def __init__(
        self,
        connection: Connection,
        registered: Mapping[ClusterName, str],
        rejections: Rejections,
        *,
        snapshot_every_s: float = SNAPSHOT_EVERY_S,
    ) -> None:
        self._connection, self._rejections = connection, rejections
        self._snapshot_every_s = snapshot_every_s
        self._snapshot_wanted = asyncio.Event()
        self._concerned: set[ClusterName] = set()
        self._changed = asyncio.Event()
        self.connections = Connections(registered)
        self.is_known = asyncio.Event()
        # whether a snapshot was taken: before, nothing is concluded from a connection that isn't seen
        self.listener: Callable[[ClusterName], None] | None = None
        # is told of every connection of a registered key
        self.watcher: Callable[[ClusterName, bool], None] | None = None
        # is told of every cluster that may have come or gone, and whether it is there, once that is known

    async def concerned(self) -> set[ClusterName]:
        """Wait for clusters whose presence may have changed since the last call, and return them."""
        await self._changed.wait()
        self._changed.clear()
        concerned, self._concerned = self._concerned, set()
        return concerned

    async def run(self) -> None:
        """Watch until cancelled."""
        await self._connection.subscribe(PRESENCE_CONNECTED, self._on_connected)
        await self._connection.subscribe(PRESENCE_DISCONNECTED, self._on_disconnected)
        self._connection.on_connected.append(self._on_bus)
        self._connection.on_dropped.append(self._snapshot_wanted.set)
        await self._snapshots()

    async def _on_bus(self) -> None:
        self._snapshot_wanted.set()

    async def _on_connected(self, message: Message) -> None:
        try:
            connection, client = _client(message.data)
            identity = identity_of(client.get("jwt"))
        except UnusableEvent as error:
            self._rejections.add("presence event", reason=str(error))
            return
        if identity is None:
            return
        self.connections.opened(connection, identity)
        self.concern([identity.cluster])
        if self.connections.is_known(identity):
            if self.listener is not None:
                self.listener(identity.cluster)
        else:
            self._rejections.add("connection of an unknown key", cluster=identity.cluster)

    async def _on_disconnected(self, message: Message) -> None:
        try:
            connection, _ = _client(message.data)
        except UnusableEvent as error:
            self._rejections.add("presence event", reason=str(error))
            return
        cluster = self.connections.closed(connection)
        if cluster is not None:
            self.concern([cluster])

    def concern(self, clusters: Iterable[ClusterName]) -> None:
        """Look at some clusters again: a connection or a registration has changed."""
        looked_at = set(clusters)
        self._concerned |= looked_at
        self._changed.set()
        if self.watcher is not None and self.is_known.is_set():
            for cluster in looked_at:
                self.watcher(cluster, self.connections.is_online(cluster))

    async def _snapshots(self) -> None:
        while True:
            await self._connection.wait_connected()
            self._snapshot_wanted.clear()
            try:
                listed = await self._snapshot()
            except (BusError, UnusableEvent) as error:
                log.warning("no snapshot of the connections", reason=str(error))
                await self._connection.pause()
                continue
            concerned = self.connections.snapshot(listed)
            if not self.is_known.is_set():
                self.is_known.set()
                concerned |= set(self.connections.registered)
            self.concern(concerned)
            every_s = (
                min(self._snapshot_every_s, 2.0) if self.connections.needs_another else self._snapshot_every_s
            )
            with suppress(TimeoutError):
                async with asyncio.timeout(every_s):
                    await self._snapshot_wanted.wait()

    async def _snapshot(self) -> list[Listed]:
        """Return the open connections of every server that answers."""
        self.connections.begin_snapshot()
        found: dict[str, dict[ConnectionId, Identity]] = {}
        offset, servers, more = 0, 0, True
        while more:
            more = False
            pages = await self._page(offset, servers)
            for server, total, connections in pages:
                found.setdefault(server, {}).update(self._identified(server, connections))
                more = more or total > offset + len(connections) > offset
            offset, servers = offset + PAGE - OVERLAP, len(found)
        return [Listed(server, connections) for server, connections in found.items()]

    async def _page(self, offset: int, servers: int) -> list[tuple[str, int, list[Any]]]:
        """Return a page of each server; `servers`: how many there are, 0 if that is to be found out."""
        query = json.dumps({"auth": True, "offset": offset, "limit": PAGE}).encode()
        pages: list[tuple[str, int, list[Any]]] = []
        async with self._connection.answers(PRESENCE_CONNECTIONS, query) as answers:
            wait_s = FIRST_ANSWER_S
            with suppress(RequestTimedOut):
                while not servers or len(pages) < servers:
                    pages.append(_connections((await answers.next(wait_s)).data))
                    wait_s = GATHER_S
        if not pages:
            raise UnusableEvent("no server answered")
        return pages

    def _identified(self, server: str, connections: list[Any]) -> dict[ConnectionId, Identity]:
        found: dict[ConnectionId, Identity] = {}
        for connection in connections:
            try:
                if (identity := identity_of(connection.get("jwt"))) is not None:
                    found[ConnectionId(server, int(connection["cid"]))] = identity
            except (UnusableEvent, KeyError, TypeError, ValueError, AttributeError):
                self._rejections.add("connection in a snapshot")
        return found


def _client(data: bytes) -> tuple[ConnectionId, dict[str, Any]]:
    """Return the connection that an event is about, and what it says of its client."""
    try:
        event = json.loads(data)
        client = event["client"]
        return ConnectionId(str(event["server"]["id"]), int(client["id"])), client
    except (ValueError, KeyError, TypeError) as error:
        raise UnusableEvent("not an event of the server") from error


def _connections(data: bytes) -> tuple[str, int, list[Any]]:
    """Return server, number of connections, and one page of them."""
    try:
        answer = json.loads(data)
        page = answer["data"]
        return str(answer["server"]["id"]), int(page["total"]), list(page["connections"])
    except (ValueError, KeyError, TypeError) as error:
        raise UnusableEvent("not an answer of the server") from error
