"""Requests about repositories: `hub.registry.repo.*`.

An application may name any repository; one is registered for its credentials or its pool. Credentials come sealed to the
renderers of that pool: what is stored here can't be read here, nor by another pool.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog

from app_registry import arguments
from app_registry.fleet import Fleet
from app_registry.identities import Identities
from app_registry.origins import same_repository
from outrider.bus.buckets import KeyValue
from outrider.bus.entries import current
from outrider.bus.jetstream import JetStream
from outrider.bus.services import Endpoint, RequestRefused
from outrider.names import DEFAULT_POOL, InvalidName, pool_name
from outrider.records import PoolRecord, RepositoryRecord, repository_key
from outrider.rendering.git.address import parse_address
from outrider.rendering.git.errors import AddressRefused
from outrider.subjects import registry
from outrider.topology import POOLS, REPOSITORIES

log = structlog.get_logger()

SEALED_MAX_BYTES = 64 << 10
PUBLIC_MAX_ENTRIES = 16


class Repositories:
    """Serves requests about repositories."""

    def __init__(
        self, js: JetStream, fleet: Fleet, identities: Identities, clock: Callable[[], datetime]
    ) -> None:
        self._js, self._fleet, self._identities, self._clock = js, fleet, identities, clock
        self._bucket = KeyValue(js, REPOSITORIES)

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        return [
            Endpoint("repo-key", registry("repo.key"), self.key),
            Endpoint("repo-add", registry("repo.add"), self.add),
            Endpoint("repo-list", registry("repo.list"), self.list),
            Endpoint("repo-remove", registry("repo.remove"), self.remove),
        ]

    async def key(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the key to seal credentials to. {url?, pool?} -> {sealing_key}. Without `pool`: that of the pool that serves `url`."""
        url = arguments.text(request, "url", " ").strip()
        pool = await self._pool(request, await self._stored(url) if url else None)
        if pool == DEFAULT_POOL:
            return {"sealing_key": self._identities.sealing_key}
        entry = await current(self._js, POOLS, pool)
        return {"sealing_key": PoolRecord.unpack(entry.value or b"").sealing_key}

    async def _pool(self, request: dict[str, Any], stored: RepositoryRecord | None) -> str:
        """Return the pool that a request names, else the one that its repository has; RequestRefused if there is no such pool."""
        name = arguments.text(request, "pool", stored.pool if stored is not None else DEFAULT_POOL)
        try:
            # It becomes one token of a subject, as a cluster's name does.
            pool = pool_name(name)
        except InvalidName as error:
            raise RequestRefused(f"pool: {error.rule}") from error
        entry = await current(self._js, POOLS, pool) if pool != DEFAULT_POOL else None
        if entry is not None and (entry.value is None or PoolRecord.unpack(entry.value).removing):
            raise RequestRefused(f"there is no pool {pool!r}: add it first, with `outrider pool add {pool}`")
        return pool

    async def add(self, request: dict[str, Any]) -> dict[str, Any]:
        """Register a repository, or change it. {url, pool?, sealed?, public?} -> {url, result}. Idempotent."""
        url = _url(request)
        self._check_spelling(url)
        stored = await self._stored(url)
        kept = stored or RepositoryRecord(url, created_at_ms=int(self._clock().timestamp() * 1000))
        pool = await self._pool(request, stored)
        if pool != kept.pool and kept.sealed and "sealed" not in request:
            raise RequestRefused(
                f"the credentials of {url} are sealed to the renderers of pool {kept.pool!r}: give them again, for pool {pool!r}"
            )
        record = replace(
            kept,
            pool=pool,
            sealed=_sealed(request) if "sealed" in request else kept.sealed,
            public=_public(request) if "public" in request else kept.public,
        )
        if record != stored:
            await self._bucket.put(repository_key(url), record.pack())
            log.info("repository stored", repository=url)
        result = "created" if stored is None else "unchanged" if record == stored else "updated"
        return {"url": url, "result": result}

    def _check_spelling(self, url: str) -> None:
        for record in self._fleet.origins.records.values():
            if record.url != url and same_repository(record.url) == same_repository(url):
                raise RequestRefused(
                    f"this repository is registered as {record.url}; use that, or remove it first"
                )

    async def list(self, request: dict[str, Any]) -> dict[str, Any]:
        """List repositories by URL, without credentials. {after?, limit?} -> {items, next}."""
        after, limit = arguments.page(request)
        records = sorted(self._fleet.origins.records.values(), key=lambda record: record.url)
        items = [
            {
                "url": record.url,
                "pool": record.pool,
                "public": record.public,
                "has_credentials": bool(record.sealed),
                "applications": len(self._fleet.origins.applications(record.url)),
                "created_at_ms": record.created_at_ms,
            }
            for record in records
            if record.url > after
        ]
        return arguments.paged(items[: limit + 1], limit, "url")

    async def remove(self, request: dict[str, Any]) -> dict[str, Any]:
        """Forget a repository and its credentials; applications in it go on without. {url} -> {url, result}."""
        url = arguments.text(request, "url")
        if await self._stored(url) is None:
            raise RequestRefused(f"there is no repository {url}")
        await self._bucket.delete(repository_key(url))
        log.info("repository removed", repository=url)
        return {"url": url, "result": "removed"}

    async def _stored(self, url: str) -> RepositoryRecord | None:
        entry = await current(self._js, REPOSITORIES, repository_key(url))
        return RepositoryRecord.unpack(entry.value) if entry.value is not None else None


def _url(request: dict[str, Any]) -> str:
    url = arguments.text(request, "url")
    try:
        parse_address(url)
    except AddressRefused as error:
        raise RequestRefused(str(error)) from error
    return url


def _sealed(request: dict[str, Any]) -> bytes:
    sealed = arguments.optional(request, "sealed", bytes) or b""
    if len(sealed) > SEALED_MAX_BYTES:
        raise RequestRefused(f"sealed: has {len(sealed)} bytes, {SEALED_MAX_BYTES} are allowed")
    return sealed


def _public(request: dict[str, Any]) -> dict[str, Any]:
    public = arguments.optional(request, "public", dict) or {}
    if len(public) > PUBLIC_MAX_ENTRIES or not all(isinstance(value, str) for value in public.values()):
        raise RequestRefused(f"public: must be up to {PUBLIC_MAX_ENTRIES} names with a text each")
    return public
