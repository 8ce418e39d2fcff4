import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from app_registry.service import run
from app_registry.settings import Settings
from outrider import codec, delta, subjects
from outrider.bus import BusError, BusSettings, Connection, Disconnected, NoResponders, connected
from outrider.bus.buckets import KeyValue
from outrider.bus.jetstream import JetStream
from outrider.bus.model import User
from outrider.bus.services import RequestRefused, ask
from outrider.generations import Holding, holdings_digest
from outrider.identity import credentials, hub_state, sealing, signatures
from outrider.identity.keys import KeyPair, generate
from outrider.messages import Desired, Generation, ResyncAnswer, ResyncRequest
from outrider.names import AppName, ClusterName, from_token, token
from outrider.records import ConditionsRecord, PoolPresenceRecord, RenderingRecord, SourceRecord
from outrider.tasks import background
from outrider.topology import CONDITIONS, POOL_PRESENCE, RENDERINGS, SOURCES, STATUSES

REPOSITORY = "https://git.example.com/shops.git"
NOTHING = Generation(0, 0)
COMMIT = "0123456789abcdef0123456789abcdef01234567"


async def eventually(probe: Callable[[], Awaitable[bool]], timeout_s: float = 10) -> None:
    async with asyncio.timeout(timeout_s):
        # What is asked for is at a server: its answer is the only event there is.
        while not await probe():  # noqa: ASYNC110
            await asyncio.sleep(0)


def settings(hub: Any, replica: str = "one") -> Settings:
    return Settings(
        credentials=hub.state / "credentials" / "registry.creds",
        keys=hub_state.RegistryKeys.load(hub.state / "registry.json"),
        servers=(hub.url,),
        replica=replica,
        command_timeout_s=1,
    )


@asynccontextmanager
async def running(hub: Any, replica: str = "one", **changes: Any) -> AsyncIterator[None]:
    async with background(run(replace(settings(hub, replica), **changes)), name="registry"):
        yield


def application(name: str, cluster: str = "shop1", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name},
        "spec": {
            "project": "default",
            "destination": {"name": cluster, "namespace": name},
            "source": {"repoURL": REPOSITORY, "path": name.split("-")[0], "directory": {}},
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True},
                "syncOptions": ["CreateNamespace=true"],
            },
            **spec,
        },
    }


def bundle(*names: str) -> bytes:
    return codec.canonical(
        [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}} for name in names]
    )


@dataclass
class Edge:
    """What an agent holds, kept as an agent keeps it."""

    name: ClusterName
    bus: BusSettings
    connection: Connection
    hub_keys: list[bytes]
    arrived: asyncio.Queue[tuple[AppName, Desired]] = field(default_factory=asyncio.Queue)
    sizes: list[int] = field(default_factory=list)
    held: dict[AppName, Desired] = field(default_factory=dict)
    seen: Generation = NOTHING

    async def listen(self) -> None:
        async def hear(message: Any) -> None:
            _, app = subjects.app_of_desired(message.subject)
            self.sizes.append(len(message.data))
            # As an agent does: what the hub has not signed is never taken.
            with suppress(signatures.ForgedRecord):
                self.take(app, message.data)

        await self.connection.subscribe(subjects.desired_of(self.name), hear)
        await self.connection.flush()

    def take(self, app: AppName, sealed: bytes) -> None:
        record = Desired.unpack(signatures.unseal(sealed, self.hub_keys, self.name, app))
        newest = self.held[app].generation if app in self.held else Generation(0, 0)
        if record.generation > newest:
            self.held[app] = record
            self.arrived.put_nowait((app, record))

    async def next(self) -> tuple[AppName, Desired]:
        async with asyncio.timeout(10):
            return await self.arrived.get()

    @property
    def highest(self) -> Generation:
        return max((record.generation for record in self.held.values()), default=self.seen)

    async def ask(self, **other: Any) -> tuple[ResyncAnswer, int]:
        """Ask once; return the answer and its size on the wire."""
        digest = holdings_digest({app: Holding.of(record) for app, record in self.held.items()})
        request = ResyncRequest(*self.seen, digest, *self.highest)
        packed = ResyncRequest(**{**request.__dict__, **other}).pack()
        answer = await self.connection.request(subjects.resync(self.name), packed, timeout_s=10)
        return ResyncAnswer.unpack(answer.data), len(answer.data)

    async def resync(self) -> list[AppName]:
        """Ask until there is no more; return the applications that came, in order."""
        came: list[AppName] = []
        after = self.seen
        while True:
            answer, _ = await self.ask(epoch=after.epoch, counter=after.counter)
            for name, sealed in answer.records:
                app = AppName(from_token(name))
                self.take(app, sealed)
                came.append(app)
                record = Desired.unpack(signatures.unseal(sealed, self.hub_keys, self.name, app))
                after = max(after, record.generation)
            if not answer.more:
                self.seen = max(self.seen, Generation(answer.epoch, answer.counter))
                return came


async def told(edge: Edge, app: AppName, matches: Callable[[Desired], bool] = lambda _: True) -> Desired:
    """Return a record that an edge may have been sent before it listened, once it holds one that matches."""

    async def probe() -> bool:
        if app in edge.held and matches(edge.held[app]):
            return True
        await edge.resync()
        return False

    await eventually(probe)
    return edge.held[app]


@dataclass
class Fleet:
    """A hub with its registry's callers: a person, the renderer, and edges."""

    hub: Any
    person: Connection
    renderer: Connection
    aggregator: Connection
    stack: AsyncExitStack

    async def ask(self, verb: str, **arguments: Any) -> Any:
        return await ask(self.person, subjects.registry(verb), arguments, timeout_s=10)

    async def until(self, matches: Callable[[Any], bool], verb: str, **arguments: Any) -> Any:
        """Ask until the answer matches; return it."""
        answer: Any = None

        async def probe() -> bool:
            nonlocal answer
            answer = await self.ask(verb, **arguments)
            return matches(answer)

        await eventually(probe)
        return answer

    async def ready(self) -> None:
        await eventually(self.answers, 20)

    async def answers(self) -> bool:
        """Whether a registry answers; a request that met one on its way out is lost and asked again."""
        while True:
            try:
                await ask(self.person, subjects.registry("repo.key"), timeout_s=0.5)
            except (NoResponders, Disconnected):
                return False
            except BusError:
                continue
            return True

    async def add_cluster(self, name: str, key: KeyPair | None = None, **more: Any) -> BusSettings:
        key = key or generate("user")
        answer = await self.ask("cluster.add", name=name, public_key=key.public, **more)
        made = credentials.Credentials(
            User(name, answer["jwt"], key.seed), (self.hub.url,), answer["ca_pem"], tuple(answer["hub_keys"])
        )
        return BusSettings(servers=(self.hub.url,), user=lambda: made.user, ca_pem=made.ca_pem)

    async def add_pool(self, name: str, key: KeyPair | None = None, **more: Any) -> Any:
        key = key or generate("user")
        sealing_key = more.pop("sealing_key", sealing.public_key(sealing.generate_key()))
        return await self.ask("pool.add", name=name, public_key=key.public, sealing_key=sealing_key, **more)

    async def pool_seen(self, name: str, *, online: bool, since_ms: int = 0) -> None:
        """Write what the gateway would of a pool's renderers."""
        record = PoolPresenceRecord(online, since_ms, [["one", "0.1.0"]] if online else [])
        await KeyValue(JetStream(self.renderer), POOL_PRESENCE).put(name, record.pack())

    async def edge(self, name: str, **more: Any) -> Edge:
        bus = await self.add_cluster(name, **more)
        connection = await self.stack.enter_async_context(connected(bus))
        keys = credentials.load(self.hub.state / "credentials" / "person.creds").hub_keys
        edge = Edge(ClusterName(name), bus, connection, list(keys))
        await edge.listen()
        return edge

    async def wanted(self, matches: Callable[[SourceRecord], bool] = lambda _: True) -> str:
        """Return the key of the wanted source that matches, once there is one."""
        async with asyncio.timeout(10):
            watching = KeyValue(JetStream(self.renderer), SOURCES).watch()
            try:
                async for changes in watching:
                    for change in changes.changes:
                        if change.value is not None and matches(SourceRecord.unpack(change.value)):
                            return change.key
            finally:
                await watching.aclose()  # type: ignore[attr-defined]
        raise AssertionError

    async def deliver(self, edge: Edge, name: str = "till", data: bytes | None = None) -> RenderingRecord:
        """Apply an application and render it; return the rendering once its edge and the registry know."""
        manifest = application(name, edge.name)
        manifest["metadata"]["finalizers"] = ["resources-finalizer.argocd.argoproj.io"]
        await self.ask("app.apply", manifest=manifest)
        key = await self.wanted(lambda record: record.source["path"] == name.split("-")[0])
        rendering = await self.render(key, data or bundle("a"))
        app, record = await edge.next()
        assert app == name
        await self.until(
            lambda found: found["desired"] and found["desired"]["generation"] == list(record.generation),
            "app.get",
            name=name,
        )
        return rendering

    async def report(self, edge: Edge, app: str, document: bytes | None) -> None:
        """Write what the aggregator would of an application's status (None: it is gone)."""
        bucket = KeyValue(JetStream(self.aggregator), STATUSES)
        key = f"{edge.name}.{token(app)}"
        if document is None:
            await bucket.delete(key)
        else:
            await bucket.put(key, document)

    async def gone(self, app: str) -> None:
        """Wait until an application is gone."""

        async def probe() -> bool:
            try:
                await self.ask("app.get", name=app)
            except RequestRefused:
                return True
            return False

        await eventually(probe)

    async def desired(self) -> dict[str, Desired]:
        """Return what stream DESIRED holds, by subject."""
        js, seq = JetStream(self.aggregator), 1
        found: dict[str, Desired] = {}
        while batch := await js.following("DESIRED", subjects.ALL_DESIRED, seq, 256):
            found |= {stored.subject: Desired.unpack(stored.data[64:]) for stored in batch}
            seq = batch[-1].seq + 1
        return found

    async def sources(self) -> dict[str, SourceRecord]:
        """Return all that is wanted at this moment."""
        found: dict[str, SourceRecord] = {}
        watching = KeyValue(JetStream(self.renderer), SOURCES).watch()
        try:
            async for changes in watching:
                found |= {c.key: SourceRecord.unpack(c.value) for c in changes.changes if c.value is not None}
                if changes.caught_up:
                    return found
        finally:
            await watching.aclose()  # type: ignore[attr-defined]
        raise AssertionError

    async def render(self, key: str, data: bytes, revision: str = COMMIT, **more: Any) -> RenderingRecord:
        """Write what the renderer would."""
        objects = len(codec.unpack(data))
        record = RenderingRecord(revision=revision, digest=delta.digest(data), **{"objects": objects, **more})
        await self.rendering(key, record)
        return record

    async def rendering(self, key: str, record: RenderingRecord) -> None:
        await KeyValue(JetStream(self.renderer), RENDERINGS).put(key, record.pack())

    async def condition(self, app: str, text: str) -> ConditionsRecord:
        """Return an application's conditions once one of them says `text` ("" means: none)."""
        async with asyncio.timeout(10):
            watching = KeyValue(JetStream(self.aggregator), CONDITIONS).watch(app.replace(".", "_"))
            try:
                async for changes in watching:
                    for change in changes.changes:
                        record = (
                            ConditionsRecord.unpack(change.value) if change.value else ConditionsRecord([])
                        )
                        if _says(record, text):
                            return record
                    if not changes.changes and not text:
                        return ConditionsRecord([])
            finally:
                await watching.aclose()  # type: ignore[attr-defined]
        raise AssertionError


def _says(record: ConditionsRecord, text: str) -> bool:
    return any(text in one["message"] for one in record.conditions) if text else not record.conditions


@pytest.fixture
async def fleet(hub: Any) -> AsyncIterator[Fleet]:
    """A fleet whose registry is not running yet."""
    async with (
        hub.connect("person") as person,
        hub.connect("renderer") as renderer,
        hub.connect("aggregator") as aggregator,
        AsyncExitStack() as stack,
    ):
        yield Fleet(hub, person, renderer, aggregator, stack)


@pytest.fixture
async def served(fleet: Fleet) -> AsyncIterator[Fleet]:
    """A fleet whose registry runs."""
    async with running(fleet.hub):
        await fleet.ready()
        yield fleet
