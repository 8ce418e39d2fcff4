"""The hub's gateway as it runs, pools with identities of their own, and the test in place of the registry and of people."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgpack
import pytest
from tests.integration.conftest import Hub
from tests.integration.rendering.repositories import Repository
from tests.integration.rendering.servers import (
    PASSWORD,
    Certificate,
    HttpsServer,
    SshServer,
    https_server,
    make_certificate,
    ssh_server,
)

from outrider import delta, subjects
from outrider.bus import BusError, BusSettings, Connection, connected
from outrider.bus.buckets import KeyValue
from outrider.bus.jetstream import JetStream
from outrider.bus.objects import Objects
from outrider.bus.services import ask
from outrider.identity.keys import KeyPair, generate
from outrider.identity.sealing import generate_key, public_key, seal
from outrider.names import PoolName
from outrider.pool_messages import RUN_BYTES, KeysAnswer, KeysRequest
from outrider.records import (
    PoolPresenceRecord,
    PoolRecord,
    RenderingRecord,
    RepositoryRecord,
    SourceRecord,
    repository_key,
    source_key,
)
from outrider.rendering.charts import ChartStore
from outrider.rendering.checkouts import Checkouts
from outrider.rendering.git.store import GitStore
from outrider.rendering.pool import RenderPool
from outrider.rendering.settings import RenderSettings
from outrider.tasks import background
from outrider.topology import BUNDLES, POOL_PRESENCE, POOLS, RENDERINGS, REPOSITORIES, SOURCES
from outrider_playground.waiting import eventually
from repo_renderer.bundles import Bundles
from repo_renderer.delegate import service as delegate
from repo_renderer.delegate.gateway import Gateway
from repo_renderer.gateway import service as gateway
from repo_renderer.service import policy
from repo_renderer.settings import Settings

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {text: %s}\n"


@dataclass
class Pool:
    """A pool as whoever added it knows it."""

    name: PoolName
    key: KeyPair = field(default_factory=lambda: generate("user"))
    sealing_key: bytes = field(default_factory=generate_key)

    @property
    def record(self) -> PoolRecord:
        return PoolRecord(self.name, self.key.public, public_key(self.sealing_key), 0)


@dataclass
class Site:
    """The hub, and what its registry writes and reads."""

    hub: Hub
    registry: Connection
    renderer: Connection
    folder: Path
    records: dict[str, RenderingRecord] = field(default_factory=dict)
    heard: asyncio.Condition = field(default_factory=asyncio.Condition)

    def bucket(self, bucket: Any) -> KeyValue:
        return KeyValue(JetStream(self.registry), bucket)

    async def add_pool(self, name: str) -> Pool:
        pool = Pool(PoolName(name))
        await self.bucket(POOLS).put(name, pool.record.pack())
        return pool

    async def give(self, url: str, pool: Pool, **secret: str) -> None:
        """Register a repository for a pool, with credentials that its renderers can open."""
        sealed = seal(secret, public_key(pool.sealing_key)) if secret else b""
        record = RepositoryRecord(url, pool.name, sealed)
        await self.bucket(REPOSITORIES).put(repository_key(url), record.pack())

    async def want(self, url: str, path: str, pool: Pool | None, context: Any = None, **source: Any) -> str:
        wanted = {"repoURL": url, "path": path, "targetRevision": "main", **source}
        key = source_key(url, wanted, context or {})
        record = SourceRecord(url, pool.name if pool else "default", wanted, context or {})
        await self.bucket(SOURCES).put(key, record.pack())
        return key

    async def follow(self) -> None:
        async for changes in self.bucket(RENDERINGS).watch():
            async with self.heard:
                for change in changes.changes:
                    if change.value is not None:
                        self.records[change.key] = RenderingRecord.unpack(change.value)
                self.heard.notify_all()

    async def until(self, key: str, condition: Callable[[RenderingRecord], bool]) -> RenderingRecord:
        async with asyncio.timeout(30), self.heard:
            await self.heard.wait_for(lambda: key in self.records and condition(self.records[key]))
        return self.records[key]

    async def rendered(self, key: str) -> RenderingRecord:
        return await self.until(key, lambda record: bool(record.digest))

    async def failed(self, key: str) -> RenderingRecord:
        return await self.until(key, lambda record: bool(record.error))

    async def manifests(self, record: RenderingRecord) -> list[dict[str, Any]]:
        frame = await Objects(self.renderer, BUNDLES).get(record.digest.hex())
        found: list[dict[str, Any]] = msgpack.unpackb(delta.decompress(frame, max_bytes=1 << 26))
        return found

    async def presence(
        self, pool: Pool, condition: Callable[[PoolPresenceRecord], bool]
    ) -> PoolPresenceRecord:
        async with asyncio.timeout(30):
            watching = self.bucket(POOL_PRESENCE).watch(pool.name)
            try:
                async for changes in watching:
                    for change in changes.changes:
                        assert change.value is not None
                        record = PoolPresenceRecord.unpack(change.value)
                        if condition(record):
                            return record
            finally:
                await watching.aclose()  # type: ignore[attr-defined]
        raise AssertionError

    async def ask(self, pool: Pool, verb: str, **arguments: Any) -> Any:
        return await ask(self.registry, subjects.render(pool.name, verb), arguments)

    def bus(self, pool: Pool, url: str = "") -> BusSettings:
        settings = self.hub.pool_settings(pool.name, pool.key)
        return replace(settings, servers=(url,)) if url else settings

    @asynccontextmanager
    async def asking(self, pool: Pool) -> AsyncIterator[Gateway]:
        """A renderer's identity in the hands of the test."""
        async with connected(self.bus(pool), alone=True) as connection:
            gateway = Gateway(connection, pool.name, os.urandom(RUN_BYTES))

            async def is_served() -> bool:
                try:
                    await gateway.ask("keys", KeysRequest(gateway.run, SOURCES.name), KeysAnswer)
                except BusError:
                    return False
                return True

            await eventually(is_served)
            yield gateway

    @asynccontextmanager
    async def rendering(
        self, pool: Pool, name: str = "one", url: str = "", **changes: Any
    ) -> AsyncIterator[Connection]:
        """Run a renderer of a pool; its connection, to be looked at. `url`: where it finds the hub."""
        settings = Settings(
            credentials=self.folder, state=self.folder / f"{pool.name}-{name}", sealing_key=pool.sealing_key,
            pool=pool.name, replica=name, poll_interval_s=3600, workers=1,
        )  # fmt: skip
        settings = replace(settings, **changes)
        allowed = policy(settings)
        async with (
            RenderPool(RenderSettings(settings.state / "renders", workers=1)) as renders,
            GitStore(settings.state, policy=allowed) as git,
            ChartStore(settings.state / "charts", renders.chart_versions, policy=allowed) as charts,
            connected(self.bus(pool, url), alone=True) as connection,
            background(delegate.work(settings, connection, Checkouts(git, charts), renders), name="renderer"),
        ):
            yield connection

    @asynccontextmanager
    async def gateway(self, name: str = "hub", **changes: Any) -> AsyncIterator[Connection]:
        """Run the gateway of one of the hub's own renderers."""
        bus = self.hub.settings("renderer")
        settings = replace(Settings(self.folder, self.folder, replica=name), **changes)
        async with connected(bus, alone=True) as connection:
            bundles = Bundles(Objects(connection, BUNDLES))
            async with background(gateway.serve(settings, bus, connection, bundles), name="gateway"):
                yield connection


@pytest.fixture
async def hub_site(hub: Hub, tmp_path: Path) -> AsyncIterator[Site]:
    """A hub whose gateway does not run yet."""
    async with hub.connect("registry") as registry, hub.connect("renderer") as renderer:
        site = Site(hub, registry, renderer, tmp_path / "renderers")
        async with background(site.follow(), name="follow"):
            yield site


@pytest.fixture
async def site(hub_site: Site) -> AsyncIterator[Site]:
    """A hub whose gateway runs."""
    async with hub_site.gateway():
        yield hub_site


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A repository in the folder that the servers serve."""
    made = Repository(tmp_path / "served" / "shops.git")
    made.commit({"shop/a.yaml": CONFIG % ("a", "1"), "till/b.yaml": CONFIG % ("b", "1")})
    return made


@pytest.fixture
def https(repository: Repository, certificate: Certificate, tmp_path: Path) -> Iterator[HttpsServer]:
    with https_server(tmp_path / "served", certificate, password=PASSWORD) as server:
        yield server


@pytest.fixture
def ssh(repository: Repository, tmp_path: Path) -> Iterator[SshServer]:
    with ssh_server(tmp_path / "served") as server:
        yield server


@contextlib.contextmanager
def open_https(folder: Path, certificate: Certificate) -> Iterator[HttpsServer]:
    """A server that asks for no password."""
    with https_server(folder, certificate) as server:
        yield server
