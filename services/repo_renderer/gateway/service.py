"""The gateway, wired: one of the hub's own renderers at a time is it, and opens a session for each pool that there is.

Nothing of it is kept but in the buckets. When it ends, renderers ask again until another one answers, and go on with what they know;
parts of bundles that were on their way are sent again.
"""

import asyncio

import structlog

from outrider.bus import BusError, BusSettings, Connection, WrongRevision, connected
from outrider.bus.buckets import Change, KeyValue
from outrider.bus.entries import current
from outrider.bus.jetstream import JetStream
from outrider.bus.lease import Holder, Lease, LeaseLost
from outrider.codec import MalformedMessage
from outrider.names import PoolName
from outrider.records import GATEWAY_LEASE, PoolRecord
from outrider.topology import POOL_PRESENCE, POOLS
from repo_renderer.bundles import Bundles
from repo_renderer.gateway.picture import Picture
from repo_renderer.gateway.session import Session
from repo_renderer.gateway.stores import Stores
from repo_renderer.settings import Settings

log = structlog.get_logger()

LEASE_S = 8.0


async def serve(settings: Settings, bus: BusSettings, connection: Connection, bundles: Bundles) -> None:
    """Be the gateway whenever no other renderer of the hub is, until cancelled."""
    holder = Holder(settings.replica, connection.unique_name())
    stores = Stores.of(connection, bundles, settings.pool_bytes_per_day)
    lease = Lease(JetStream(connection), POOL_PRESENCE, GATEWAY_LEASE, holder, ttl_s=LEASE_S)
    while True:
        try:
            async with lease.held():
                await Gateway(bus, connection, stores).run()
        except* LeaseLost as errors:
            log.warning("the gateway has ended", reason=str(errors.exceptions[0]))


class Gateway:
    """One term of one gateway."""

    def __init__(self, bus: BusSettings, connection: Connection, stores: Stores) -> None:
        self._bus, self._js, self._stores = bus, JetStream(connection), stores
        self._picture: Picture | None = None
        self._sessions: dict[PoolName, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Follow the pools until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            async for changes in KeyValue(self._js, POOLS).watch():
                for change in changes.changes:
                    self._take(change, tasks)

    def _take(self, change: Change, tasks: asyncio.TaskGroup) -> None:
        pool = PoolName(change.key)
        serving = self._sessions.get(pool)
        if change.value is None:
            tasks.create_task(self._forget(pool, serving), name=f"forget pool {pool}")
        if _is_served(change) == (serving is not None):
            return
        if serving is not None:
            serving.cancel()
            del self._sessions[pool]
            return
        if self._picture is None:
            # A hub without pools does not read what it would be for.
            self._picture = Picture(self._js)
            tasks.create_task(self._picture.run(), name="picture")
        self._sessions[pool] = tasks.create_task(self._serve(pool, self._picture), name=f"pool {pool}")

    async def _forget(self, pool: PoolName, serving: asyncio.Task[None] | None) -> None:
        """Drop what was said of a pool's renderers: one of that name that is added again is another pool."""
        if serving is not None:
            await asyncio.wait({serving})
        while True:
            try:
                known = await current(self._js, POOL_PRESENCE, pool)
                if known.value is not None and pool not in self._sessions:
                    await self._stores.presence.delete(pool, known.revision)
            except WrongRevision:
                return
            except BusError as error:
                log.warning("presence of a pool not dropped", pool=pool, reason=str(error))
                await self._js.connection.pause()
            else:
                return

    async def _serve(self, pool: PoolName, picture: Picture) -> None:
        """Serve one pool until cancelled, on a connection that is its own."""
        await picture.ready.wait()
        while True:
            try:
                async with connected(self._bus, alone=True) as connection:
                    log.info("pool served", pool=pool)
                    await Session(pool, connection, picture.tables(pool), self._stores).run()
            except* BusError as errors:
                log.warning("pool not served", pool=pool, reason=str(errors.exceptions[0]))
            await self._js.connection.pause()


def _is_served(change: Change) -> bool:
    if change.value is None:
        return False
    try:
        return not PoolRecord.unpack(change.value).removing
    except MalformedMessage as error:
        log.warning("pool ignored", pool=change.key, reason=str(error))
        return False
