"""The way up against a real server: lanes, budgets, and the journal behind live status."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.conftest import Hub

from edge_agent.journal import Journal, Recorder
from edge_agent.link.allowance import Allowance
from edge_agent.link.budget import DAY_S, Budget, Lane, Limits
from edge_agent.link.journal import JournalSender
from edge_agent.link.outbound import Outbound, OutboundSettings
from edge_agent.link.outbox import Outbox
from edge_agent.replica import opened
from outrider import codec, delta, subjects
from outrider.bus.jetstream import JetStream
from outrider.messages import JournalBatch, StatusBatch
from outrider.names import ClusterName
from outrider.tasks import background
from outrider.topology import JOURNAL, STATUS
from outrider_playground.waiting import eventually

SHOP1 = ClusterName("shop1")
NOON_S = 20_000 * DAY_S + DAY_S / 2


def document(health: str, message: str = "") -> dict[str, Any]:
    return {
        "sync": {"status": "Synced", "revision": "a" * 40},
        "health": {"status": health, "message": message},
        "conditions": [],
    }


@dataclass
class Edge:
    outbound: Outbound
    recorder: Recorder
    budget: Budget
    js: JetStream
    now_s: float = NOON_S

    def say(self, app: str, **words: Any) -> None:
        found = document(**words)
        self.recorder.document(app, found)
        self.outbound.document(app, found)

    async def batches(self) -> list[StatusBatch]:
        stored = await self.js.following(STATUS.name, subjects.status(SHOP1), 1, 100)
        return [StatusBatch.unpack(one.data) for one in stored]

    async def journal(self) -> list[str]:
        stored = await self.js.following(JOURNAL.name, subjects.journal(SHOP1), 1, 100)
        batches = [JournalBatch.unpack(one.data) for one in stored]
        frames = [codec.unpack(delta.decompress(one.frame, max_bytes=1 << 20)) for one in batches]
        return [entry[3] for entries in frames for entry in entries]


@asynccontextmanager
async def edge(hub: Hub, folder: Path, limits: Limits, flush_after_s: float = 0.0) -> AsyncIterator[Edge]:
    with opened(folder / "replica") as database:
        async with hub.connect_edge(SHOP1) as connection, hub.connect("aggregator") as aggregator:
            journal, allowance = Journal(database), Allowance(limits, lambda: made.now_s, database)
            sender = JournalSender(connection, SHOP1, journal, time.monotonic, flush_after_s)
            settings = OutboundSettings(flush_after_s=0.01)
            outbox, rng = Outbox(1), random.Random(3)
            outbound = Outbound(
                connection, SHOP1, outbox, sender, allowance, set, lambda: made.now_s, rng, settings
            )
            recorder = Recorder(journal, lambda: made.now_s, outbound.journal_noted)
            made = Edge(outbound, recorder, allowance.budget, JetStream(aggregator))
            async with background(outbound.run(), name="outbound"):
                yield made


async def test_the_journal_goes_behind_live_status(hub: Hub, tmp_path: Path) -> None:
    async with edge(hub, tmp_path, Limits()) as site:
        site.say("till", health="Healthy")
        site.say("till", health="Degraded")

        async def told() -> bool:
            return await site.journal() == ["health"]

        await eventually(told)
        status = await site.js.following(STATUS.name, subjects.status(SHOP1), 1, 100)
        journal = await site.js.following(JOURNAL.name, subjects.journal(SHOP1), 1, 1)
        assert status
        assert status[0].headers["Nats-Time-Stamp"] < journal[0].headers["Nats-Time-Stamp"]


async def test_a_spent_day_holds_back_journal_and_state_but_no_health_transition(
    hub: Hub, tmp_path: Path
) -> None:
    async with edge(hub, tmp_path, Limits(bytes_per_day=100_000)) as site:
        site.say("till", health="Healthy")
        site.say("menu", health="Healthy")

        async def announced(count: int) -> bool:
            return sum(len(batch.entries) for batch in await site.batches()) >= count

        await eventually(lambda: announced(2))
        site.budget.spend(Lane.STATE, 100_000, site.now_s)
        site.say("menu", health="Healthy", message="still")
        site.say("till", health="Degraded")
        await eventually(lambda: announced(3))
        last = (await site.batches())[-1]
        assert [entry[0] for entry in last.entries] == ["till"]
        assert last.set_digest == b""
        assert await site.journal() == []
        site.now_s += DAY_S
        site.say("menu", health="Healthy", message="a day later")
        await eventually(lambda: announced(4))

        async def told() -> bool:
            return await site.journal() == ["health"]

        await eventually(told)
        assert (await site.batches())[-1].set_digest


async def test_entries_wait_for_company(hub: Hub, tmp_path: Path) -> None:
    async with edge(hub, tmp_path, Limits(), flush_after_s=3600) as site:

        async def told(count: int) -> bool:
            return len(await site.journal()) == count

        site.say("till", health="Healthy")
        site.say("till", health="Degraded")
        await eventually(lambda: told(1))
        for word in ("Healthy", "Degraded", "Healthy"):
            site.say("till", health=word)
        before = len(await site.batches())

        async def more_status() -> bool:
            return len(await site.batches()) > before

        await eventually(more_status)
        assert await told(1)
        await asyncio.gather(*(hook() for hook in site.outbound._connection.on_connected))
        await eventually(lambda: told(4))
