"""The registry, wired: wait for the lease, read everything, then serve and reconcile until the lease is lost."""

import asyncio
import random
import secrets
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import structlog

from app_registry.applications import Applications
from app_registry.applying import Applying
from app_registry.cluster_settings import ClusterSettings
from app_registry.clusters import Clusters
from app_registry.commands import Commands
from app_registry.conditions import Conditions
from app_registry.desired_at_hub import DesiredAtHub
from app_registry.draining import Draining
from app_registry.edge_refresh import EdgeRefresh
from app_registry.exports import Exports
from app_registry.fleet import Fleet, Touched
from app_registry.follow import following
from app_registry.generations import Generations
from app_registry.hub_bundles import HubBundles
from app_registry.identities import Identities
from app_registry.last_answers import LastAnswers
from app_registry.looks import Looks
from app_registry.operations import Operations
from app_registry.pool_requests import PoolRequests
from app_registry.project_requests import ProjectRequests
from app_registry.publisher import Publisher
from app_registry.reconcile import Reconciler
from app_registry.repositories import Repositories
from app_registry.resync import Resync
from app_registry.returning import Returning
from app_registry.set_requests import SetRequests
from app_registry.settings import Settings
from app_registry.settings_requests import SettingsRequests
from app_registry.tombstones import Tombstones
from app_registry.work_queue import WorkQueue
from outrider.bus import BusSettings, Connection, connected
from outrider.bus.buckets import KeyValue
from outrider.bus.jetstream import JetStream
from outrider.bus.lease import Holder, Lease, LeaseLost
from outrider.bus.objects import Objects
from outrider.bus.services import Endpoint, serve
from outrider.bus.topology import ensured
from outrider.identity import credentials
from outrider.identity.signatures import public_key
from outrider.names import AppName, ClusterName
from outrider.subjects import SETTINGS
from outrider.tasks import background
from outrider.topology import APPLICATIONS, BUNDLES, CONDITIONS, HUB, REGISTRY, SOURCES
from outrider.version import VERSION

log = structlog.get_logger()

NAME = "app-registry"
LEASE = "lease"
LEASE_S = 8.0
# A registry that was killed is replaced after this; what one that was frozen writes when it wakes has a number that the edges
# refuse, and is written over.
CONCURRENT_MAX = 512
# Applications brought in line at a time; the bus bounds how many publishes are unacknowledged.


def _now() -> datetime:
    return datetime.now(UTC)


async def run(settings: Settings, clock: Callable[[], datetime] = _now) -> None:
    """Run the process. Ends only by cancellation or by the first loop that fails."""
    bus = credentials.bus_settings(settings.credentials, settings.servers)
    holder = Holder(settings.replica, secrets.token_hex(8))
    async with connected(bus, alone=True) as connection:
        await ensured(JetStream(connection), HUB.of("registry"))
        lease = Lease(JetStream(connection), REGISTRY, LEASE, holder, ttl_s=LEASE_S)
        while True:
            try:
                async with lease.held():
                    await _term(settings, bus, clock)
            except LeaseLost as error:
                _end_if_cancelled()
                log.warning("stopped working", reason=str(error))


async def _term(settings: Settings, bus: BusSettings, clock: Callable[[], datetime]) -> None:
    """Work for as long as the lease is held, on a connection of its own: once that is closed, nothing is written any more."""
    async with AsyncExitStack() as opened:
        connection = await opened.enter_async_context(connected(bus, alone=True))
        registry = Registry(settings, bus, connection, JetStream(connection), clock=clock)
        # Closed before those who answer on it end: no request reaches a registry that is on its way out.
        async with background(registry.serve(), name="serve"), opened.pop_all():
            await registry.work()


def _end_if_cancelled() -> None:
    # A task group that ends with an error swallows a cancellation that comes while it ends; the task still knows of it.
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class Registry:
    """One term of one registry."""

    def __init__(
        self,
        settings: Settings,
        bus: BusSettings,
        connection: Connection,
        js: JetStream,
        *,
        clock: Callable[[], datetime] = _now,
        rng: random.Random | None = None,
    ) -> None:
        rng = rng or random.SystemRandom()
        self._connection, self._js = connection, js
        self._ready = asyncio.Event()
        self.fleet, self.generations = Fleet(), Generations()
        self._identities = Identities(settings.keys, js, bus, clock)
        seed = self._identities.desired_seed
        publisher = Publisher(js, self.generations, seed, self._on_published)
        self._tombstones = Tombstones(js, self.fleet, self.generations, publisher, self._touch, rng)
        answers = LastAnswers(js, clock)
        reconciler = Reconciler(
            self.fleet,
            self.generations,
            publisher,
            self._tombstones,
            Conditions(KeyValue(js, CONDITIONS), self.fleet, clock),
            Returning(connection, js, self.fleet),
            answers,
            KeyValue(js, APPLICATIONS),
            KeyValue(js, SOURCES),
        )
        self._apps: WorkQueue[AppName] = WorkQueue(
            "applications", reconciler.bring_application, concurrent_max=CONCURRENT_MAX, rng=rng
        )
        self._sources: WorkQueue[str] = WorkQueue(
            "sources", reconciler.bring_source, concurrent_max=CONCURRENT_MAX, rng=rng
        )
        self._settings: WorkQueue[ClusterName] = WorkQueue(
            "settings",
            ClusterSettings(self.fleet, self.generations, publisher).bring,
            concurrent_max=CONCURRENT_MAX,
            rng=rng,
        )
        self._commands = Commands(connection, rng, settings.command_timeout_s)
        self._operations = Operations(connection, self.fleet, self.generations, self._commands)
        bundles = HubBundles(Objects(connection, BUNDLES))
        desired = DesiredAtHub(self.fleet, self.generations, bundles)
        self._looks = Looks(connection, self._operations, self._commands, answers, desired, clock)
        self._applications = Applications(
            js, self.fleet, self.generations, self._operations, self._on_touched, clock
        )
        self._projects = ProjectRequests(js, self.fleet, self._on_touched, clock)
        self._sets = SetRequests(js, self.fleet, clock)
        self._settings_requests = SettingsRequests(js, clock)
        self._applying = Applying(
            self.fleet, self._applications, self._projects, self._sets, self._settings_requests
        )
        self._clusters = Clusters(
            js, self.fleet, self._identities, publisher, self._settings_requests,
            Draining(js, self.generations), answers, self._touch, clock,
        )  # fmt: skip
        self._pools = PoolRequests(js, self.fleet, self._identities, clock)
        self._repositories = Repositories(js, self.fleet, self._identities, clock)
        self._edge_refresh = EdgeRefresh(self.fleet, self._commands)
        self._exports = Exports(js, self.fleet, self.generations, seed, clock)
        self._resync = Resync(connection, js, self.generations, self._tombstones, self._raise_epoch)

    async def serve(self) -> None:
        """Answer requests until cancelled, once everything has been read."""
        await self._ready.wait()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._resync.serve(), name="resync")
            tasks.create_task(serve(self._connection, NAME, VERSION, self._endpoints()), name="requests")

    async def work(self) -> None:
        """Reconcile until cancelled, or until the first loop fails."""
        keys = [public_key(self._identities.desired_seed)]
        async with following(self._js, self.fleet, self.generations, keys, self._on_touched):
            self._sources.add(*self.fleet.stored_sources)
            self._apps.add(*self.fleet.conditions)
            for cluster in self.generations.clusters():
                self._look_at_outdated(cluster)
            await self._commands.start()
            self._connection.on_connected.append(self._on_connected)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._apps.run(), name="applications")
                tasks.create_task(self._sources.run(), name="sources")
                tasks.create_task(self._settings.run(), name="settings")
                tasks.create_task(self._tombstones.run(), name="tombstones")
                tasks.create_task(self._identities.push_again(), name="revocations")
                self._ready.set()
                log.info("registry ready", applications=len(self.fleet.applications))

    def _endpoints(self) -> list[Endpoint]:
        return [
            *self._applying.endpoints(),
            *self._applications.endpoints(),
            *self._operations.endpoints(),
            *self._looks.endpoints(),
            *self._projects.endpoints(),
            *self._sets.endpoints(),
            *self._settings_requests.endpoints(),
            *self._clusters.endpoints(),
            *self._pools.endpoints(),
            *self._exports.endpoints(),
            *self._repositories.endpoints(),
            *self._edge_refresh.endpoints(),
        ]

    def _on_touched(self, touched: Touched) -> None:
        self._apps.add(*touched.apps)
        self._sources.add(*touched.sources)
        self._settings.add(*touched.clusters)

    def _look_at_outdated(self, cluster: ClusterName) -> None:
        outdated = self.generations.outdated(cluster)
        self._apps.add(*(app for app in outdated if app != SETTINGS))
        if SETTINGS in outdated:
            self._settings.add(cluster)

    async def _on_connected(self) -> None:
        self._settings.retry_now()
        self._apps.retry_now()
        self._sources.retry_now()

    def _touch(self, app: AppName) -> None:
        self._apps.add(app)

    def _on_published(self, cluster: ClusterName) -> None:
        if self.generations.purgeable(cluster):
            self._tombstones.look_at(cluster)

    async def _raise_epoch(self, cluster: ClusterName, epoch: int) -> None:
        await self._clusters.raise_epoch(cluster, epoch)
        self.generations.raise_epoch(cluster, epoch)
        self._look_at_outdated(cluster)
