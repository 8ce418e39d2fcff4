"""The aggregator, wired: it answers at once, and folds while it holds the lease."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from outrider.bus import BusError, Connection, connected
from outrider.bus.buckets import KeyValue
from outrider.bus.jetstream import JetStream
from outrider.bus.lease import Holder, Lease, LeaseLost
from outrider.bus.services import serve
from outrider.bus.topology import ensured
from outrider.identity import credentials
from outrider.names import ClusterName
from outrider.records import ClusterRecord
from outrider.topology import HUB, STATUSES
from outrider.version import VERSION
from status_aggregator import scrape
from status_aggregator.folding import Around, Folding
from status_aggregator.journal import JournalReader
from status_aggregator.metrics import Sources, exposition
from status_aggregator.presence import Presence
from status_aggregator.queries import Queries, Readiness
from status_aggregator.records import WRITER
from status_aggregator.registrations import Registrations
from status_aggregator.rejections import Rejections
from status_aggregator.settings import Address, InvalidSetting, Settings
from status_aggregator.view import View
from status_aggregator.watching import Watching

log = structlog.get_logger()


async def run(settings: Settings) -> None:
    """Wire the process. Ends only by cancellation or by the first loop that fails."""
    bus = credentials.bus_settings(settings.credentials, settings.servers)
    sources = Sources(View(settings.freshness), Rejections())
    async with _metrics(settings, sources), connected(bus, alone=True) as connection:
        await work(settings, connection, sources)


async def work(settings: Settings, connection: Connection, sources: Sources) -> None:
    """Run the aggregator's loops."""
    js = JetStream(connection)
    await ensured(js, HUB.of("aggregator"))
    registrations, view, now = Registrations(), sources.view, sources.clock.now
    presence = Presence(connection, registrations.keys, sources.rejections)
    presence.watcher = lambda cluster, online: view.put_connected(cluster, now(), is_connected=online)

    def registered(cluster: ClusterName, record: ClusterRecord | None) -> None:
        registrations.put(cluster, record)
        presence.concern([cluster])

    watching = Watching(js, view, sources.rejections, on_cluster=registered, now=now)
    journal = JournalReader(js, sources.rejections)
    ready = Readiness(watching.ready, presence.is_known)
    queries = Queries(view, KeyValue(js, STATUSES), journal, ready, now)
    holder = Holder(settings.instance, connection.unique_name())
    lease = Lease(js, STATUSES, WRITER, holder, ttl_s=settings.lease_s)
    around = Around(
        js,
        view,
        watching.showing,
        registrations,
        presence,
        sources.rejections,
        now=now,
        may_write=lambda: lease.is_valid,
        limits=settings.limits,
        mending=settings.mending,
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(watching.run(), name="watch")
        tasks.create_task(serve(connection, "status-aggregator", VERSION, queries.endpoints()), name="serve")
        # Whose word counts must be known before any is folded.
        await watching.ready.wait()
        tasks.create_task(presence.run(), name="presence")
        tasks.create_task(_fold(lease, around, sources), name="fold")


async def _fold(lease: Lease, around: Around, sources: Sources) -> None:
    """Fold whenever this aggregator is the one that does."""
    while True:
        try:
            async with lease.held():
                sources.folding = await Folding.begin(around)
                await sources.folding.run()
        except* LeaseLost as errors:
            log.warning("folding ended", reason=str(errors.exceptions[0]))
        except* BusError as errors:
            log.warning("folding not begun", reason=str(errors.exceptions[0]))
            await around.js.connection.pause()
        finally:
            sources.folding = None


@asynccontextmanager
async def _metrics(settings: Settings, sources: Sources) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        if settings.metrics is not None:
            try:
                port = await stack.enter_async_context(
                    scrape.serving(*settings.metrics, lambda: exposition(sources))
                )
            except OSError as error:
                _refuse(settings.metrics, error, is_asked_for=settings.is_metrics_asked_for)
            else:
                log.info("metrics served", host=settings.metrics.host, port=port)
        yield


def _refuse(address: Address, error: OSError, *, is_asked_for: bool) -> None:
    text = f"metrics can't be served on {address.host}:{address.port}: {error.strerror or error}"
    if is_asked_for:
        raise InvalidSetting(f"{text}; set OUTRIDER_METRICS to another address, or to off")
    log.warning("metrics are not served", reason=text)
