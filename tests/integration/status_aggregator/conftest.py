import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.integration.conftest import Hub
from tests.integration.status_aggregator.fake_edge import FakeEdge
from tests.unit.status_aggregator.edge_model import EdgeModel

from outrider import subjects
from outrider.backoff import Backoff
from outrider.bus import BusSettings, Connection, connected
from outrider.bus.buckets import KeyValue
from outrider.bus.jetstream import JetStream
from outrider.bus.lease import Holder
from outrider.bus.services import ask
from outrider.bus.topology import ensure
from outrider.identity.keys import KeyPair
from outrider.messages import Desired
from outrider.names import AppName, ClusterName, token
from outrider.records import ApplicationRecord, ClusterRecord, ConditionsRecord, StatusRecord
from outrider.tasks import background
from outrider.topology import APPLICATIONS, CLUSTERS, CONDITIONS, HUB, STATUSES
from status_aggregator import frames, service
from status_aggregator.document import whole
from status_aggregator.edge import Limits
from status_aggregator.folding import Around, Folding
from status_aggregator.hub_clock import HubClock
from status_aggregator.mending import MendingSettings
from status_aggregator.metrics import Sources
from status_aggregator.presence import Presence
from status_aggregator.records import CURSOR, WRITER, Cursor
from status_aggregator.registrations import Registrations
from status_aggregator.rejections import Rejections
from status_aggregator.settings import Settings
from status_aggregator.view import View
from status_aggregator.watching import Watching

REPOSITORY = Path(__file__).parents[3]
WITHIN_S = 20
# No condition that is waited for takes longer, however busy the machine.
MENDING = MendingSettings(ask_after_s=0.02, ask_all_after_s=0.1, repeat=Backoff(first_s=0.3, cap_s=1.0))


@dataclass
class Fleet:
    """A hub with a registry's and a person's connection, and edges."""

    hub: Hub
    registry: Connection
    person: Connection
    stack: AsyncExitStack
    settings: Settings
    rejections: Rejections = field(default_factory=Rejections)
    edges: dict[str, BusSettings] = field(default_factory=dict)

    async def register(self, cluster: str, *, server: str = "", labels: dict[str, str] | None = None) -> None:
        self.edges[cluster] = self.hub.edge_settings(cluster)
        key = KeyPair(self.edges[cluster].user().seed).public
        record = ClusterRecord(cluster, key, 0, labels or {}, server)
        await KeyValue(JetStream(self.registry), CLUSTERS).put(cluster, record.pack())

    async def registered(self, cluster: str) -> BusSettings:
        """Register a cluster; return how it connects."""
        await self.register(cluster)
        return self.edges[cluster]

    async def unregister(self, cluster: str) -> None:
        await KeyValue(JetStream(self.registry), CLUSTERS).delete(cluster)

    async def edge(self, cluster: str, model: EdgeModel | None = None, clock_behind_ms: int = 0) -> FakeEdge:
        if cluster not in self.edges:
            await self.register(cluster)
        connection = await self.stack.enter_async_context(connected(self.edges[cluster]))
        made = FakeEdge(connection, cluster, model or EdgeModel(), clock_behind_ms)
        return await self.stack.enter_async_context(made.answering())

    async def apply(self, app: str, cluster: str, revision: str = "a" * 40, counter: int = 1) -> None:
        """What the registry writes for one application."""
        manifest = {"spec": {"project": "shops", "destination": {"name": cluster, "namespace": "shop"}}}
        record = ApplicationRecord(app, bytes(16), manifest, 0, 0)
        await KeyValue(JetStream(self.registry), APPLICATIONS).put(token(AppName(app)), record.pack())
        await self.desire(
            app, cluster, Desired(bytes(16), 1, counter, {}, bytes.fromhex(revision), bytes(32))
        )

    async def desire(self, app: str, cluster: str, record: Desired) -> None:
        subject = subjects.desired(ClusterName(cluster), AppName(app))
        await JetStream(self.registry).publish(subject, bytes(64) + record.pack())

    async def complain(self, app: str, message: str) -> None:
        conditions = [{"type": "ComparisonError", "message": message}] if message else []
        record = ConditionsRecord(conditions)
        await KeyValue(JetStream(self.registry), CONDITIONS).put(token(AppName(app)), record.pack())

    @asynccontextmanager
    async def aggregator(
        self, bus: BusSettings | None = None, clock: HubClock | None = None, **changes: Any
    ) -> AsyncIterator[Sources]:
        """Run one in this process."""
        settings = Settings(**{**self.settings.__dict__, **changes})
        sources = Sources(View(settings.freshness), self.rejections, clock=clock or HubClock())
        async with (
            connected(bus or self.hub.settings("aggregator"), alone=True) as connection,
            background(service.work(settings, connection, sources), name="aggregator"),
        ):
            yield sources

    @asynccontextmanager
    async def folding(self, js: JetStream, clock: HubClock | None = None) -> AsyncIterator[Folding]:
        """The part that folds, with nothing around it that writes; it is run by the caller."""
        now = (clock or HubClock()).now
        view, registrations = View(self.settings.freshness), Registrations()
        rejections = Rejections()
        presence = Presence(js.connection, registrations.keys, rejections)
        watching = Watching(JetStream(js.connection), view, rejections, on_cluster=registrations.put, now=now)
        async with background(watching.run(), name="watch"):
            await watching.ready.wait()
            around = Around(
                js, view, watching.showing, registrations, presence, rejections, now=now,
                may_write=lambda: True, limits=Limits(), mending=MENDING,
            )  # fmt: skip
            yield await Folding.begin(around)

    @asynccontextmanager
    async def process(self, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run one as a process; it is killed at the end, if it is still there."""
        started = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "status_aggregator", env=self.environment() | environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            yield started
        finally:
            if started.returncode is None:
                started.kill()
            await started.communicate()

    def environment(self) -> dict[str, str]:
        """What a process is told."""
        roots = (str(REPOSITORY / root) for root in ("services", "shared"))
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(roots),
            "OUTRIDER_CREDENTIALS": str(self.settings.credentials),
            "OUTRIDER_SERVERS": self.hub.url,
            "OUTRIDER_METRICS": "off",
            "OUTRIDER_INSTANCE": self.settings.instance,
            "OUTRIDER_LOG": "warning",
        }

    async def until_folded_by(self, instance: str) -> None:
        """Wait until an aggregator of that name holds the lease."""
        watching = KeyValue(JetStream(self.registry), STATUSES).watch(WRITER)
        async with asyncio.timeout(WITHIN_S), aclosing(watching):  # type: ignore[type-var]
            async for changes in watching:
                if any(c.value and Holder.unpack(c.value).name == instance for c in changes.changes):
                    return

    async def ask(self, verb: str, **arguments: Any) -> Any:
        return await ask(self.person, subjects.status_query(verb), arguments, timeout_s=WITHIN_S)

    async def until(self, verb: str, shown: Callable[[Any], bool], **arguments: Any) -> Any:
        """Ask until the answer shows something."""

        async def attempt() -> Any:
            answer = await self.ask(verb, **arguments)
            return answer if shown(answer) else None

        return await eventually(attempt)

    async def until_stored(self, shown: Callable[[dict[str, bytes]], bool]) -> dict[str, bytes]:
        """Watch bucket `status`, without the process's own keys, until it shows something."""
        found: dict[str, bytes] = {}
        watching = KeyValue(JetStream(self.registry), STATUSES).watch()
        async with asyncio.timeout(WITHIN_S), aclosing(watching):  # type: ignore[type-var]
            async for changes in watching:
                for change in changes.changes:
                    found.pop(change.key, None)
                    if change.value is not None and not change.key.startswith("_"):
                        found[change.key] = change.value
                if changes.caught_up and shown(found):
                    return found
        raise AssertionError("a watch does not end")

    async def until_committed(self, seq: int) -> None:
        """Wait until stream STATUS is folded up to a place."""
        watching = KeyValue(JetStream(self.registry), STATUSES).watch(CURSOR)
        async with asyncio.timeout(WITHIN_S), aclosing(watching):  # type: ignore[type-var]
            async for changes in watching:
                if any(change.value and Cursor.unpack(change.value).seq >= seq for change in changes.changes):
                    return

    async def until_documents(self, cluster: str, expected: dict[str, Any]) -> None:
        """Wait until the hub holds exactly these documents of a cluster."""

        def shown(found: dict[str, bytes]) -> bool:
            return expected == {
                key.split(".")[1]: whole(frames.document_of(StatusRecord.unpack(value)))
                for key, value in found.items()
                if key.startswith(f"{cluster}.")
            }

        await self.until_stored(shown)


async def eventually(attempt: Callable[[], Awaitable[Any]]) -> Any:
    """Return the first result that is not None; each attempt is a round trip to another process."""
    rng = random.Random(0)
    async with asyncio.timeout(WITHIN_S):
        while True:
            try:
                if (result := await attempt()) is not None:
                    return result
            except Exception as error:
                if type(error).__name__ not in ("NoResponders", "RequestTimedOut"):
                    raise
            await asyncio.sleep(rng.uniform(0.005, 0.02))


@pytest.fixture
async def fleet(hub: Hub) -> AsyncIterator[Fleet]:
    async with AsyncExitStack() as stack:
        registry = await stack.enter_async_context(hub.connect("registry"))
        person = await stack.enter_async_context(hub.connect("person"))
        await ensure(JetStream(registry), HUB.of("registry"))
        settings = Settings(
            credentials=hub.state / "credentials" / "aggregator.creds",
            servers=(hub.url,),
            metrics=None,
            instance="one",
            mending=MENDING,
        )
        yield Fleet(hub, registry, person, stack, settings)
