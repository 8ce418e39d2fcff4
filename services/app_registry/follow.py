"""Follow every bucket and stream that decides something, and hand on what a change touches.

Level-triggered: the first read brings all that is there, then changes come. Work begins once everything has been read, so
that no decision is taken on half of the facts.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import structlog

from app_registry.fleet import Fleet, Touched
from app_registry.generations import Generations
from app_registry.placements import stored_epoch
from outrider import subjects
from outrider.bus.buckets import Change, KeyValue
from outrider.bus.follow import follow
from outrider.bus.jetstream import JetStream
from outrider.codec import MalformedMessage
from outrider.names import ClusterName
from outrider.topology import (
    APPLICATIONS,
    CLUSTERS,
    CONDITIONS,
    DESIRED,
    RENDERINGS,
    REPOSITORIES,
    SOURCES,
    Bucket,
)

log = structlog.get_logger()

OnTouched = Callable[[Touched], None]


@asynccontextmanager
async def following(
    js: JetStream, fleet: Fleet, generations: Generations, on_touched: OnTouched
) -> AsyncIterator[None]:
    """Enter once everything has been read; go on reading for the block."""
    followed: list[tuple[Bucket, Callable[[Change], Touched]]] = [
        (CLUSTERS, partial(_put_cluster, fleet, generations)),
        (REPOSITORIES, fleet.put_repository),
        (RENDERINGS, fleet.put_rendering),
        (CONDITIONS, fleet.put_conditions),
        (SOURCES, fleet.put_source),
        (APPLICATIONS, fleet.put_application),
    ]
    read = [asyncio.Event() for _ in range(len(followed) + 1)]
    async with asyncio.TaskGroup() as tasks:
        readers = [
            tasks.create_task(_follow_bucket(js, bucket, put, on_touched, done), name=f"follow {bucket.name}")
            for (bucket, put), done in zip(followed, read[1:], strict=True)
        ]
        readers.append(
            tasks.create_task(_follow_desired(js, generations, on_touched, read[0]), name="follow DESIRED")
        )
        try:
            for done in read:
                await done.wait()
            yield
        finally:
            for reader in readers:
                reader.cancel()


def _put_cluster(fleet: Fleet, generations: Generations, change: Change) -> Touched:
    touched = fleet.put_cluster(change)
    name = ClusterName(change.key)
    if (record := fleet.placements.clusters.get(name)) is not None and (epoch := stored_epoch(record)):
        generations.raise_epoch(name, epoch)
        touched.apps |= set(generations.outdated(name))
    return touched


async def _follow_bucket(
    js: JetStream,
    bucket: Bucket,
    put: Callable[[Change], Touched],
    on_touched: OnTouched,
    read: asyncio.Event,
) -> None:
    async for changes in KeyValue(js, bucket).watch():
        for change in changes.changes:
            on_touched(put(change))
        if changes.caught_up:
            read.set()


async def _follow_desired(
    js: JetStream, generations: Generations, on_touched: OnTouched, read: asyncio.Event
) -> None:
    """Index the stream. A record that is not this process's own has its application looked at."""
    async for batch in follow(js, DESIRED.name):
        for stored in batch.messages:
            cluster, app = subjects.app_of_desired(stored.subject)
            try:
                foreign = generations.stored(cluster, app, stored.seq, stored.data)
            except MalformedMessage as error:
                log.warning("desired record not understood", cluster=cluster, app=app, reason=str(error))
                continue
            if foreign:
                on_touched(Touched({app}))
        if batch.caught_up:
            read.set()
