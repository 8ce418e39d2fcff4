"""Row 7, from below: somebody has an edge's credentials. That edge's word can be forged until they are revoked, and nothing else."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.e2e.faults.agreement import agree
from tests.e2e.faults.shop import bumped, runs, shown

from outrider import codec, delta, subjects
from outrider.bus import BusError, Connection, connected
from outrider.bus.jetstream import JetStream
from outrider.identity import credentials
from outrider.messages import BundleRequest, JournalBatch, ResyncRequest, StatusBatch
from outrider.names import AppName, ClusterName
from outrider_playground.demo.edge import Edge
from outrider_playground.demo.fleet import OneNodeFleet
from outrider_playground.waiting import eventually

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("healed")]

ANSWER_S = 2.0


@asynccontextmanager
async def thief(fleet: OneNodeFleet, edge: Edge) -> AsyncIterator[Connection]:
    """Connect to the hub with a copy of an edge's credentials."""
    file = fleet.folder / f"{edge.name}.creds"
    copy = Path(f"{file}.stolen")
    await asyncio.to_thread(copy.write_bytes, await asyncio.to_thread(file.read_bytes))
    settings = credentials.bus_settings(copy, fleet.hub.urls)
    async with connected(settings, alone=True) as connection:
        yield connection


def forgery(app: str = "shop-edge-1") -> bytes:
    """Return a batch that says the worst of an application."""
    document = codec.canonical({"sync": {"status": "OutOfSync"}, "health": {"status": "Degraded"}})
    digest = delta.short(delta.digest(document))
    entry = [app, digest, None, delta.compress(document)]
    now_ms = time.time_ns() // 1_000_000
    return StatusBatch(now_ms, 1, now_ms, delta.set_digest({app: digest}), [entry]).pack()


async def test_it_can_neither_write_nor_read_what_is_another_clusters(fleet: OneNodeFleet) -> None:
    edge, other = fleet.edges
    await agree(fleet)
    heard: list[object] = []

    async def hear(message: object) -> None:
        heard.append(message)

    async with thief(fleet, edge) as stolen:
        victim = ClusterName(other.name)
        for subject in (subjects.status(victim), subjects.journal(victim)):
            with pytest.raises(BusError):
                await stolen.request(subject, forgery("shop-edge-2"), timeout_s=ANSWER_S)
        for api in ("$JS.API.STREAM.INFO.DESIRED", "$JS.API.DIRECT.GET.DESIRED", "hub.registry.app.list"):
            with pytest.raises(BusError):
                await stolen.request(api, b"", timeout_s=ANSWER_S)
        await stolen.subscribe(subjects.desired_of(victim), hear)
        await stolen.publish(subjects.desired(victim, AppName("shop-edge-2")), b"x" * 100)
        tag = await bumped(fleet)
        await runs(tag, *fleet.edges)
        await stolen.flush()
    assert heard == []
    await agree(fleet)
    assert not any(item["health"] == "Degraded" for item in (await fleet.known()).values())


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xc1" * 50, id="no msgpack"),
        pytest.param(forgery()[:-20], id="truncated"),
        pytest.param(os.urandom((1 << 20) - 2048), id="as large as can be"),
        pytest.param(codec.pack([99, 1, 2]), id="of an unknown version"),
        pytest.param(
            StatusBatch(1, 1, 1 << 60, b"", [["a" * 300, b"", None, b""]]).pack(), id="absurd values"
        ),
        pytest.param(JournalBatch(1, b"\xff" * 40).pack(), id="a broken frame"),
    ],
)
async def test_nonsense_from_it_stops_nobody(fleet: OneNodeFleet, data: bytes) -> None:
    edge = fleet.edges[0]
    cluster = ClusterName(edge.name)
    async with thief(fleet, edge) as stolen:
        for subject in (subjects.status(cluster), subjects.journal(cluster)):
            await stolen.publish(subject, data)
        for subject in (subjects.resync(cluster), subjects.bundle(cluster)):
            await stolen.publish(subject, data, reply=f"{stolen.inbox}.none")
        await stolen.flush()
    tag = await bumped(fleet)
    await runs(tag, *fleet.edges)
    await agree(fleet)


async def test_absurd_questions_from_it_are_answered_or_ignored(fleet: OneNodeFleet) -> None:
    cluster = ClusterName(fleet.edges[0].name)
    questions = [
        (subjects.resync(cluster), ResyncRequest(1 << 40, 1 << 40, b"12345678", 1 << 62, 1).pack()),
        (subjects.resync(cluster), ResyncRequest(0, 0, b"").pack()),
        (subjects.bundle(cluster), BundleRequest(b"d" * 32).pack()),
        (subjects.bundle(cluster), BundleRequest(b"", [b""] * 1000, 1 << 60, b"", -1).pack()),
        (subjects.bundle(cluster), BundleRequest(b"d" * 32, [], -5, None, 1 << 40).pack()),
    ]
    async with thief(fleet, fleet.edges[0]) as stolen:
        for subject, question in questions:
            try:
                await stolen.request(subject, question, timeout_s=ANSWER_S)
            except BusError:
                continue
    tag = await bumped(fleet)
    await runs(tag, *fleet.edges)
    await agree(fleet)


async def test_lies_in_its_name_end_with_its_key(fleet: OneNodeFleet) -> None:
    edge = fleet.edges[0]
    await agree(fleet)
    async with thief(fleet, edge) as stolen:
        await JetStream(stolen).publish(subjects.status(ClusterName(edge.name)), forgery())
        await shown(fleet, f"shop-{edge.name}", health="Degraded")
        out = str(fleet.folder / f"{edge.name}.creds")
        add = ("cluster", "add", edge.name, "--credentials-only", "--replace", "--out", out)
        await fleet.hub.outrider(*add)
        # It is put out, and does not get in again.
        await stolen.wait_lost()
        await edge.agent.stop()
        await edge.agent.start()
        await agree(fleet)
        assert not stolen.is_connected
    tag = await bumped(fleet)
    await runs(tag, *fleet.edges)
    await agree(fleet)


async def test_an_agent_whose_key_was_replaced_goes_on_with_what_it_has(fleet: OneNodeFleet) -> None:
    """Until somebody brings it the new file: it is read anew at each attempt."""
    edge = fleet.edges[1]
    file = fleet.folder / f"{edge.name}.creds"
    await agree(fleet)
    fresh = fleet.folder / "fresh.creds"
    add = ("cluster", "add", edge.name, "--credentials-only", "--replace", "--out", str(fresh))
    await fleet.hub.outrider(*add)
    await shown(fleet, f"shop-{edge.name}", presence="offline")
    tag = await bumped(fleet)
    await runs(tag, fleet.edges[0])
    assert not edge.image("shop", "shop").endswith(f":{tag}")
    await asyncio.to_thread(fresh.replace, file)
    await runs(tag, edge, within_s=120)
    await eventually(lambda: edge.agent.pid != 0)
    await agree(fleet)
