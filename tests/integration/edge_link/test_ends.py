"""The end of an application, and what an edge that has lost its replica says of the others: a hub believes both."""

import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_agent.applications import Desired
from edge_agent.edge import Edge, Replica
from edge_agent.replica import opened
from edge_agent.settings import Settings
from outrider import subjects
from outrider.bus.jetstream import JetStream
from outrider.bus.model import User
from outrider.identity import signatures
from outrider.identity.credentials import Credentials
from outrider.messages import StatusBatch
from outrider.names import AppName
from outrider.tasks import background
from outrider.topology import STATUS
from outrider_playground.light_edges import LightWorkloads
from outrider_playground.waiting import eventually

from .scripted import SEED, SHOP1, TILL, ScriptedHub

MENU = AppName("menu")
OBJECTS = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}]


class Workloads(LightWorkloads):
    """As an agent's, and counting the ends that it is told to carry out."""

    def __init__(self, edge: Edge, ends: list[str]) -> None:
        super().__init__(edge.on_status, edge.on_removed)
        self._ends = ends

    def set_desired(self, desired: Desired) -> None:
        self._runs(desired)

    def remove(
        self, app: str, uid: str, *, cascade: bool, generation: tuple[int, int], propagation: str
    ) -> None:
        self._ends.append(app)
        super().remove(app, uid, cascade=cascade, generation=generation, propagation=propagation)


@dataclass
class Site:
    edge: Edge
    ends: list[str]
    js: JetStream
    said: list[StatusBatch] = field(default_factory=list)

    async def batches(self) -> list[StatusBatch]:
        """Return what this process has sent."""
        stored = await self.js.following(STATUS.name, subjects.status(SHOP1), 1, 100)
        batches = [StatusBatch.unpack(one.data).with_entries() for one in stored]
        return [batch for batch in batches if batch.epoch == self.edge.replica.epoch]

    async def is_said_to_be_gone(self, app: AppName) -> bool:
        entries = [entry for batch in await self.batches() for entry in batch.entries]
        return [app, b"", None, None] in entries


@asynccontextmanager
async def site(hub: Any, folder: Path, *, links: bool = True) -> AsyncIterator[Site]:
    settings = Settings(credentials=folder, state=folder)
    identity = Credentials(User(SHOP1, "", ""), (), None, (signatures.public_key(SEED),))
    with opened(folder / "replica") as database:
        replica = Replica.over(database, time.time_ns() // 1_000_000)
        async with hub.connect_edge(SHOP1) as connection, hub.connect("aggregator") as aggregator:
            edge = Edge(settings, identity, replica, connection, time.time, random.Random(3))
            made = Site(edge, [], JetStream(aggregator))
            edge.start(Workloads(edge, made.ends))
            async with background(*([edge.run()] if links else []), name="edge"):
                yield made


async def test_an_edge_without_its_replica_says_of_nothing_that_it_is_gone(hub: Any, tmp_path: Path) -> None:
    async with site(hub, tmp_path) as empty:
        # There is no hub that tells it what it should have.
        await eventually(lambda: _some(empty))
        assert not any(batch.set_digest for batch in await empty.batches())


async def test_an_edge_that_has_all_there_is_says_what_its_set_is(
    hub: Any, scripted: ScriptedHub, tmp_path: Path
) -> None:
    for app in (TILL, MENU):
        await scripted.release(app, await scripted.bundles.put(OBJECTS))
    async with site(hub, tmp_path) as edge:

        async def whole() -> bool:
            return any(batch.set_digest for batch in await edge.batches())

        await eventually(whole)
        first = next(n for n, batch in enumerate(await edge.batches()) if batch.set_digest)
        told = {entry[0] for batch in (await edge.batches())[: first + 1] for entry in batch.entries}
        assert {TILL, MENU} <= told


async def test_an_end_is_told_by_the_next_process_if_the_hub_did_not_hear_of_it(
    hub: Any, scripted: ScriptedHub, tmp_path: Path
) -> None:
    await scripted.release(TILL, await scripted.bundles.put(OBJECTS))
    await scripted.release(MENU, await scripted.bundles.put(OBJECTS))
    async with site(hub, tmp_path) as edge:
        await eventually(lambda: edge.edge.replica.holdings.is_whole)
    await scripted.release(TILL, None, cascade=True)
    async with site(hub, tmp_path, links=False) as edge:
        # It is told of the end, and carries it out, and nothing of that reaches the hub before it is killed.
        end = edge.edge.inbound.verified(TILL, scripted.records[TILL][1])
        assert end is not None
        edge.edge.inbound.offer(TILL, end)
        async with background(edge.edge.inbound.run(), name="inbound"):
            await eventually(lambda: edge.ends == [TILL])
    async with site(hub, tmp_path) as edge:
        await eventually(lambda: edge.is_said_to_be_gone(TILL))
        await eventually(lambda: TILL not in edge.edge.replica.holdings.generations())
        assert edge.ends == []


async def _some(edge: Site) -> bool:
    return bool(await edge.batches())
