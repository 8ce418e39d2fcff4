"""Requests about pools: `hub.registry.pool.*`.

A pool's renderers share one identity, bound to the key that it was added with, and one key that credentials of its repositories are
sealed to. Removing a pool revokes the identity, which disconnects its renderers at once; what they rendered stays in force.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any

import structlog

from app_registry import arguments
from app_registry.fleet import Fleet
from app_registry.identities import Identities
from outrider.bus import WrongRevision
from outrider.bus.buckets import KeyValue
from outrider.bus.entries import current
from outrider.bus.jetstream import JetStream
from outrider.bus.services import Endpoint, RequestRefused
from outrider.names import DEFAULT_POOL, PoolName
from outrider.records import PoolRecord
from outrider.subjects import registry
from outrider.topology import POOLS

log = structlog.get_logger()

SEALING_KEY_BYTES = 32
NAMED_MAX = 100
# Repositories that an answer names; more are counted.


class PoolRequests:
    """Serves requests about pools."""

    def __init__(
        self, js: JetStream, fleet: Fleet, identities: Identities, clock: Callable[[], datetime]
    ) -> None:
        self._js, self._fleet, self._identities, self._clock = js, fleet, identities, clock
        self._bucket = KeyValue(js, POOLS)

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        return [
            Endpoint("pool-add", registry("pool.add"), self.add),
            Endpoint("pool-list", registry("pool.list"), self.list),
            Endpoint("pool-get", registry("pool.get"), self.get),
            Endpoint("pool-remove", registry("pool.remove"), self.remove),
        ]

    async def add(self, request: dict[str, Any]) -> dict[str, Any]:
        """Register a pool and issue its identity. {name, public_key, sealing_key, replace?} -> what a renderer needs, and `sealed_before`.

        `sealed_before`: repositories whose credentials are sealed to another key than this, and have to be given again.
        """
        name, key = arguments.pool(request), arguments.public_key(request)
        sealing_key = _sealing_key(request)
        if name == DEFAULT_POOL:
            raise RequestRefused(f"pool {name!r} is what the hub's own renderers serve: choose another name")
        if await self._identities.is_revoked(key):
            raise RequestRefused(
                f"pool {name!r}: this key was revoked; add it with a fresh one (remove the old credentials file first)"
            )
        stored, revision = await self._stored(name)
        if stored is not None and stored.public_key != key:
            if not arguments.flag(request, "replace"):
                raise RequestRefused(
                    f"pool {name!r} is registered with another key; "
                    "to replace its identity, which disconnects whoever uses the old one, ask with replace"
                )
            await self._identities.revoke(name, stored.public_key)
        now_s = int(self._clock().timestamp())
        kept = stored or PoolRecord(name, key, sealing_key, now_s * 1000)
        issued_at_s = kept.issued_at_s if kept.public_key == key and kept.issued_at_s else now_s
        record = replace(
            kept, public_key=key, sealing_key=sealing_key, issued_at_s=issued_at_s, removing=False
        )
        if record != stored:
            await self._store(record, revision)
        # A pool that was removed and is added again has other keys, too.
        has_other_key = stored is None or stored.sealing_key != sealing_key
        sealed_before = [
            repository.url
            for repository in self._fleet.origins.in_pool(name)
            if repository.sealed and has_other_key
        ]
        issued = self._identities.issue_pool(name, key)
        return {"name": name, **issued.answer(), "sealed_before": sealed_before[:NAMED_MAX]}

    async def list(self, request: dict[str, Any]) -> dict[str, Any]:
        """List pools by name. {after?, limit?} -> {items, next}."""
        after, limit = arguments.page(request)
        names = (name for name in sorted(self._fleet.pools.records) if name > after)
        items = [self._item(self._fleet.pools.records[name]) for name in islice(names, limit + 1)]
        return arguments.paged(items, limit, "name")

    async def get(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return one pool. {name} -> an item of the list, and {public_key, urls, renderers}."""
        name = arguments.pool(request)
        record, _ = await self._stored(name)
        if record is None:
            raise RequestRefused(_unknown(name))
        seen = self._fleet.pools.presence.get(name)
        renderers = seen.renderers if seen is not None and seen.online else []
        return {
            **self._item(record),
            "public_key": record.public_key,
            "urls": [one.url for one in self._fleet.origins.in_pool(name)[:NAMED_MAX]],
            "renderers": [{"name": str(one[0]), "version": str(one[1])} for one in renderers],
        }

    def _item(self, record: PoolRecord) -> dict[str, Any]:
        seen = self._fleet.pools.presence.get(record.name)
        return {
            "name": record.name,
            "created_at_ms": record.created_at_ms,
            "removing": record.removing,
            "presence": "unknown" if seen is None else "online" if seen.online else "offline",
            "since_ms": seen.since_ms if seen is not None else None,
            "repositories": len(self._fleet.origins.in_pool(record.name)),
            "applications": len(self._fleet.in_pool(record.name)),
        }

    async def remove(self, request: dict[str, Any]) -> dict[str, Any]:
        """Remove a pool and revoke its key. {name, force?} -> {name, result}. Ask again if it is interrupted."""
        name = arguments.pool(request)
        record, revision = await self._stored(name)
        if record is None:
            raise RequestRefused(_unknown(name))
        served = self._fleet.origins.in_pool(name)
        if served and not arguments.flag(request, "force"):
            raise RequestRefused(
                f"pool {name!r} serves {len(served)} repositories, as {served[0].url}; give them to another pool with "
                "`outrider repo add URL --pool POOL`, or remove it with force: their applications then stay as they are"
            )
        if not record.removing:
            await self._store(replace(record, removing=True), revision)
        await self._identities.revoke(name, record.public_key)
        await self._bucket.delete(name)
        log.info("pool removed", pool=name)
        return {"name": name, "result": "removed"}

    async def _stored(self, name: PoolName) -> tuple[PoolRecord | None, int]:
        entry = await current(self._js, POOLS, name)
        return (PoolRecord.unpack(entry.value) if entry.value is not None else None), entry.revision

    async def _store(self, record: PoolRecord, revision: int) -> None:
        try:
            await self._bucket.replace(record.name, record.pack(), revision)
        except WrongRevision as error:
            raise RequestRefused(
                f"pool {record.name!r} was changed by somebody else at the same moment; look and try again"
            ) from error
        log.info("pool stored", pool=record.name)


def _unknown(name: PoolName) -> str:
    return f"there is no pool {name!r}; add it with `outrider pool add {name}`"


def _sealing_key(request: dict[str, Any]) -> bytes:
    key = arguments.optional(request, "sealing_key", bytes) or b""
    if len(key) != SEALING_KEY_BYTES:
        raise RequestRefused(f"sealing_key: give the {SEALING_KEY_BYTES} bytes of a public key")
    return key
