"""One thin link for everything: what is urgent goes between the parts of what is large."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.integration.conftest import Hub

from edge_agent.journal import Journal
from edge_agent.link.allowance import Allowance
from edge_agent.link.budget import Limits
from edge_agent.link.journal import JournalSender
from edge_agent.link.outbound import Outbound, OutboundSettings
from edge_agent.link.outbox import Outbox
from edge_agent.link.reply import send
from edge_agent.link.transfer import Transfer
from edge_agent.replica import Bundles, Database, opened
from outrider import subjects
from outrider.bus import Connection, Message, connected
from outrider.bus.jetstream import JetStream
from outrider.bus.objects import Objects
from outrider.messages import StatusBatch
from outrider.names import ClusterName, token
from outrider.tasks import background
from outrider.topology import BUNDLES, STATUS
from outrider_playground.waiting import eventually
from outrider_playground.wan import WanLink
from repo_renderer.bundles import Bundles as HubBundles
from repo_renderer.serve_bundles import serve as serve_bundles

SHOP1, TILL = ClusterName("shop1"), "till"
LARGE_BYTES = 150_000
# Some ten seconds of the link.


@dataclass
class Edge:
    database: Database
    connection: Connection
    allowance: Allowance
    outbound: Outbound
    js: JetStream

    def say(self, health: str) -> None:
        self.outbound.document(TILL, {"sync": {"status": "Synced"}, "health": {"status": health}})

    async def batches(self) -> int:
        stored = await self.js.following(STATUS.name, subjects.status(SHOP1), 1, 100)
        told = [StatusBatch.unpack(one.data) for one in stored]
        return sum(entry[0] == token(TILL) for batch in told for entry in batch.entries)

    async def until_told(self, batches: int) -> None:
        async def told() -> bool:
            return await self.batches() == batches

        await eventually(told, 30)


@asynccontextmanager
async def behind_a_thin_link(hub: Hub, folder: Path) -> AsyncIterator[Edge]:
    async with WanLink("127.0.0.1", hub.server.port) as link, hub.connect("aggregator") as aggregator:
        settings = replace(hub.edge_settings(SHOP1), servers=(f"tls://localhost:{link.port}",))
        with opened(folder / "replica") as database:
            async with connected(settings) as connection:
                link.delay(0.05)
                link.throttle(16_000)
                allowance = Allowance(Limits(), time.time, database)
                sender = JournalSender(connection, SHOP1, Journal(database), time.monotonic)
                outbound = Outbound(
                    connection, SHOP1, Outbox(1), sender, allowance, set, time.time, random.Random(3),
                    OutboundSettings(flush_after_s=0.01),
                )  # fmt: skip
                async with background(outbound.run(), name="outbound"):
                    edge = Edge(database, connection, allowance, outbound, JetStream(aggregator))
                    edge.say("Healthy")
                    await edge.until_told(1)
                    yield edge


async def test_a_health_transition_does_not_wait_for_the_end_of_a_large_bundle(
    hub: Hub, tmp_path: Path
) -> None:
    async with hub.connect("renderer") as renderer, behind_a_thin_link(hub, tmp_path) as edge:
        bundles = HubBundles(Objects(renderer, BUNDLES))
        manifests = [{"kind": "ConfigMap", "data": os.urandom(LARGE_BYTES // 2).hex()}]
        digest = await bundles.put(manifests)
        async with background(serve_bundles(renderer, bundles), name="bundles"):
            await renderer.flush()
            transfer = Transfer(edge.connection, SHOP1, Bundles(edge.database), edge.allowance, digest)
            async with asyncio.TaskGroup() as tasks:
                fetching = tasks.create_task(transfer.run(), name="fetch")
                await eventually(lambda: transfer.received_bytes > 0, 30)
                edge.say("Degraded")
                await edge.until_told(2)
                assert not fetching.done()


async def test_a_health_transition_does_not_wait_for_the_end_of_a_large_answer(
    hub: Hub, tmp_path: Path
) -> None:
    heard: list[int] = []

    async def hear(message: Message) -> None:
        heard.append(len(message.data))

    async with hub.connect("registry") as registry, behind_a_thin_link(hub, tmp_path) as edge:
        await registry.subscribe(subjects.ALL_REPLIES, hear)
        await registry.flush()
        size = edge.allowance.part_bytes(edge.allowance.up)
        parts = [os.urandom(size) for _ in range(LARGE_BYTES // size)]
        async with asyncio.TaskGroup() as tasks:
            answering = tasks.create_task(
                send(edge.connection, edge.allowance, subjects.reply(SHOP1, "r1"), parts), name="answer"
            )
            await eventually(lambda: len(heard) > 0, 30)
            edge.say("Degraded")
            await edge.until_told(2)
            assert not answering.done()
        await eventually(lambda: len(heard) == len(parts), 30)
