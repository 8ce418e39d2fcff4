"""The gateway's picture of three buckets: of each, what belongs to a pool that is not the hub's own.

A source and a repository are their pool's by what their record says; a rendering is its source's.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from outrider import topology
from outrider.bus.buckets import Change, KeyValue
from outrider.bus.entries import current
from outrider.bus.jetstream import JetStream
from outrider.codec import MalformedMessage
from outrider.names import DEFAULT_POOL
from outrider.pool_messages import RENDERINGS, REPOSITORIES, SOURCES
from outrider.records import RepositoryRecord, SourceRecord
from repo_renderer.gateway.tables import Row, Tables

log = structlog.get_logger()

Take = Callable[[Change], Coroutine[Any, Any, None]]


class Picture:
    """All tables of all pools."""

    def __init__(self, js: JetStream) -> None:
        self._js = js
        self._tables: dict[str, Tables] = {}
        self._pool_of: dict[str, dict[str, str]] = {SOURCES: {}, REPOSITORIES: {}}
        # table -> key -> pool
        self.ready = asyncio.Event()

    def tables(self, pool: str) -> Tables:
        """Return a pool's tables."""
        return self._tables.setdefault(pool, Tables())

    async def run(self) -> None:
        """Follow the buckets until cancelled."""
        read = [asyncio.Event() for _ in range(3)]
        follow = self._follow
        async with asyncio.TaskGroup() as tasks:
            sources = follow(topology.SOURCES, self._take_source, read[0])
            tasks.create_task(sources, name="follow sources")
            repositories = follow(topology.REPOSITORIES, self._take_repository, read[1])
            tasks.create_task(repositories, name="follow repositories")
            # Whose a rendering is follows from its source.
            await read[0].wait()
            renderings = follow(topology.RENDERINGS, self._take_rendering, read[2])
            tasks.create_task(renderings, name="follow renderings")
            for event in read:
                await event.wait()
            self.ready.set()

    async def _follow(self, bucket: topology.Bucket, take: Take, read: asyncio.Event) -> None:
        async for changes in KeyValue(self._js, bucket).watch():
            for change in changes.changes:
                await take(change)
            if changes.caught_up:
                read.set()

    async def _take_source(self, change: Change) -> None:
        before = self._pool_of[SOURCES].get(change.key)
        pool = self._move(SOURCES, change, _pool(SourceRecord, change))
        if pool == before:
            return
        if before is not None:
            self.tables(before).named[RENDERINGS].drop(change.key)
        if pool is not None:
            entry = await current(self._js, topology.RENDERINGS, change.key)
            if entry.value is not None:
                self.tables(pool).named[RENDERINGS].put(change.key, Row(entry.revision, entry.value))

    async def _take_repository(self, change: Change) -> None:
        self._move(REPOSITORIES, change, _pool(RepositoryRecord, change))

    async def _take_rendering(self, change: Change) -> None:
        pool = self._pool_of[SOURCES].get(change.key)
        if pool is None:
            return
        table = self.tables(pool).named[RENDERINGS]
        if change.value is None:
            table.drop(change.key)
        else:
            table.put(change.key, Row(change.revision, change.value))

    def _move(self, name: str, change: Change, pool: str | None) -> str | None:
        """Put a change into its pool's table, and out of the one where its key was before."""
        before = self._pool_of[name].pop(change.key, None)
        if before is not None and before != pool:
            self.tables(before).named[name].drop(change.key)
        if pool is not None and change.value is not None:
            self._pool_of[name][change.key] = pool
            self.tables(pool).named[name].put(change.key, Row(change.revision, change.value))
        return pool


def _pool(kind: type[SourceRecord] | type[RepositoryRecord], change: Change) -> str | None:
    """Return the pool that a record names; None if there is no record, or it is the hub's own renderers'."""
    if change.value is None:
        return None
    try:
        pool = kind.unpack(change.value).pool
    except MalformedMessage as error:
        log.warning("record ignored", kind=kind.__name__, key=change.key, reason=str(error))
        return None
    return pool if pool != DEFAULT_POOL else None
