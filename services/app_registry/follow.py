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
from outrider.bus.jetstream import JetStream, Stored
from outrider.codec import MalformedMessage
from outrider.identity.signatures import ForgedRecord, unseal
from outrider.names import AppName, ClusterName
from outrider.topology import (
    APPLICATIONS,
    CLUSTERS,
    CONDITIONS,
    DESIRED,
    POOL_PRESENCE,
    POOLS,
    PROJECTS,
    RENDERINGS,
    REPOSITORIES,
    SETS,
    SETTINGS,
    SOURCES,
    Bucket,
)

log = structlog.get_logger()

OnTouched = Callable[[Touched], None]


@asynccontextmanager
async def following(
    js: JetStream, fleet: Fleet, generations: Generations, keys: list[bytes], on_touched: OnTouched
) -> AsyncIterator[None]:
    """Enter once everything has been read; go on reading for the block. `keys`: those that sign Desired records."""
    followed: list[tuple[Bucket, Callable[[Change], Touched]]] = [
        (CLUSTERS, partial(_put_cluster, fleet, generations)),
        (PROJECTS, fleet.put_project),
        (SETS, fleet.put_set),
        (SETTINGS, fleet.put_settings),
        (REPOSITORIES, fleet.put_repository),
        (POOLS, fleet.put_pool),
        (POOL_PRESENCE, fleet.put_pool_presence),
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
            tasks.create_task(
                _follow_desired(js, generations, keys, on_touched, read[0]), name="follow DESIRED"
            )
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
        touched.apps |= set(generations.outdated(name)) - {subjects.SETTINGS}
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
    js: JetStream, generations: Generations, keys: list[bytes], on_touched: OnTouched, read: asyncio.Event
) -> None:
    """Index the stream. A record that is not this process's own has its application looked at."""
    async for batch in follow(js, DESIRED.name):
        touched = Touched()
        for stored, is_signed in await _checked(generations, keys, batch.messages):
            cluster, app = subjects.app_of_desired(stored.subject)
            if _index(generations, cluster, app, stored, is_signed=is_signed):
                touched |= Touched(clusters={cluster}) if app == subjects.SETTINGS else Touched({app})
        on_touched(touched)
        if batch.caught_up:
            read.set()


def _index(
    generations: Generations, cluster: ClusterName, app: AppName, stored: Stored, *, is_signed: bool
) -> bool:
    """Index one record; return whether it was not known."""
    if not is_signed:
        log.warning("desired record not signed by this hub", cluster=cluster, app=app, seq=stored.seq)
        generations.forged(cluster, app, stored.seq, len(stored.data))
        return True
    try:
        return generations.stored(cluster, app, stored.seq, stored.data)
    except MalformedMessage as error:
        log.warning("desired record not understood", cluster=cluster, app=app, reason=str(error))
        return False


async def _checked(
    generations: Generations, keys: list[bytes], messages: list[Stored]
) -> list[tuple[Stored, bool]]:
    """Return the records that are not in the index, and whether this hub has signed each."""
    fresh = [one for one in messages if not generations.knows(*subjects.app_of_desired(one.subject), one.seq)]
    if not fresh:
        return []
    # A signature takes a twentieth of a millisecond: those of a fleet would keep everything else waiting.
    return await asyncio.to_thread(lambda: [(one, _is_signed(one, keys)) for one in fresh])


def _is_signed(stored: Stored, keys: list[bytes]) -> bool:
    try:
        unseal(stored.data, keys, *subjects.app_of_desired(stored.subject))
    except ForgedRecord:
        return False
    return True
