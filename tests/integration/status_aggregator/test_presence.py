"""Who is online, by the server's word alone."""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

from tests.integration.status_aggregator.conftest import WITHIN_S, Fleet, eventually
from tests.integration.status_aggregator.fake_edge import FakeEdge
from tests.unit.status_aggregator.clocks import SetClock
from tests.unit.status_aggregator.edge_model import EdgeModel, status

from outrider import codec
from outrider.backoff import Backoff
from outrider.bus import BusSettings, connected
from outrider.bus.buckets import KeyValue
from outrider.bus.follow import follow
from outrider.bus.jetstream import JetStream
from outrider.identity.keys import KeyPair, generate
from outrider.records import ClusterRecord, EdgeRecord, StatusRecord
from outrider.topology import CLUSTERS, EVENTS, STATUSES
from outrider_playground.wan import WanLink
from status_aggregator.freshness import FreshnessLimits
from status_aggregator.hub_clock import HubClock


def presence(word: str) -> Any:
    return lambda cluster: cluster["presence"] == word


async def test_a_cluster_is_online_while_it_is_connected(fleet: Fleet) -> None:
    await fleet.register("shop1")
    async with fleet.aggregator():
        assert (await fleet.until("cluster", bool, name="shop1"))["presence"] == "unknown"
        async with connected(fleet.edges["shop1"]):
            await fleet.until("cluster", presence("online"), name="shop1")
        found = await fleet.until("cluster", presence("offline"), name="shop1")
        assert found["since_ms"] > 0
        async with connected(fleet.edges["shop1"]):
            await fleet.until("cluster", presence("online"), name="shop1")


async def test_a_cluster_with_two_connections_is_online_until_the_last_one_closes(fleet: Fleet) -> None:
    await fleet.register("shop1")
    async with fleet.aggregator() as sources:
        async with connected(fleet.edges["shop1"]):
            await fleet.until("cluster", presence("online"), name="shop1")
            async with connected(fleet.edges["shop1"]):
                pass
            # Another cluster's coming and going tells that the events before it were taken up.
            await fleet.register("shop2")
            async with connected(fleet.edges["shop2"]):
                await fleet.until("cluster", presence("online"), name="shop2")
            await fleet.until("cluster", presence("offline"), name="shop2")
            assert (await fleet.ask("cluster", name="shop1"))["presence"] == "online"
        await fleet.until("cluster", presence("offline"), name="shop1")

        async def is_told_of_four() -> bool | None:
            return True if sources.folding and sources.folding.announcing.changes >= 4 else None

        await eventually(is_told_of_four)
        assert sources.folding is not None
        assert sources.folding.announcing.changes == 4


async def test_what_happened_while_no_aggregator_ran_is_learnt_from_a_snapshot(fleet: Fleet) -> None:
    for name in ("shop1", "shop2"):
        await fleet.register(name)
    async with connected(fleet.edges["shop1"]), fleet.aggregator():
        await fleet.until("cluster", presence("online"), name="shop1")
    async with connected(fleet.edges["shop2"]), fleet.aggregator():
        await fleet.until("cluster", presence("offline"), name="shop1")
        await fleet.until("cluster", presence("online"), name="shop2")


async def test_what_happened_while_the_bus_was_lost_is_learnt_from_a_snapshot(fleet: Fleet) -> None:
    await fleet.register("shop1")
    async with WanLink("127.0.0.1", fleet.hub.server.port) as link:
        own = fleet.hub.settings("aggregator")
        bus = replace(
            own, servers=(f"tls://localhost:{link.port}",), backoff=Backoff(first_s=0.05, cap_s=0.1)
        )
        async with fleet.aggregator(bus) as sources:
            await fleet.until("summary", bool)
            async with connected(fleet.edges["shop1"]):
                await fleet.until("cluster", presence("online"), name="shop1")
                assert sources.folding is not None
                around = sources.folding.around

                async def first_snapshot_is_taken() -> bool | None:
                    return True if around.presence.is_known.is_set() else None

                await eventually(first_snapshot_is_taken)
                connection = around.js.connection
                await link.cut()
                await connection.wait_lost()
            await link.restore()
            await fleet.until("cluster", presence("offline"), name="shop1")


async def test_more_clusters_than_fit_a_page_are_all_in_the_snapshot(fleet: Fleet) -> None:
    await fleet.register("shop1")
    async with asyncio.TaskGroup() as tasks:
        for _ in range(270):
            tasks.create_task(fleet.edge("shop1"))
    last = await fleet.edge("shop2")
    assert last.connection.is_connected
    async with fleet.aggregator():
        await fleet.until("cluster", presence("online"), name="shop2")
        await fleet.until("cluster", presence("online"), name="shop1")


async def test_an_edge_that_says_it_is_another_one_is_not_believed(fleet: Fleet) -> None:
    await fleet.register("shop1")
    await fleet.register("shop2")
    async with fleet.aggregator():
        await fleet.until("summary", bool)
        async with lying(fleet.edges["shop1"], says="shop2"):
            await fleet.until("cluster", presence("online"), name="shop1")
            assert (await fleet.ask("cluster", name="shop2"))["presence"] == "unknown"


async def test_a_key_that_is_not_the_registered_one_is_ignored_and_counted(fleet: Fleet) -> None:
    await fleet.register("shop1")
    old = fleet.edges["shop1"]
    await fleet.register("shop1")
    async with fleet.aggregator() as sources:
        await fleet.until("cluster", bool, name="shop1")

        async def is_counted() -> bool | None:
            return True if sources.rejections.counts["connection of an unknown key"] else None

        async with connected(old):
            await eventually(is_counted)
            assert (await fleet.ask("cluster", name="shop1"))["presence"] == "unknown"
            async with connected(fleet.edges["shop1"]):
                await fleet.until("cluster", presence("online"), name="shop1")
            await fleet.until("cluster", presence("offline"), name="shop1")


async def test_a_cluster_that_connects_before_its_registration_is_seen_is_online_once_it_is(
    fleet: Fleet,
) -> None:
    settings = fleet.hub.edge_settings("shop1")
    async with fleet.aggregator(), connected(settings):
        await fleet.until("summary", bool)
        record = ClusterRecord("shop1", KeyPair(settings.user().seed).public, 0)
        await KeyValue(JetStream(fleet.registry), CLUSTERS).put("shop1", record.pack())
        await fleet.until("clusters", lambda page: page["items"])
        await fleet.until("cluster", presence("online"), name="shop1")


async def test_nothing_is_green_for_a_cluster_that_is_away(fleet: Fleet) -> None:
    await fleet.apply("till", "shop1")
    async with fleet.aggregator():
        edge = await fleet.edge("shop1")
        edge.model.put("till", status("Healthy"))
        await edge.flush()
        await fleet.until("summary", lambda summary: summary["health"]["Healthy"] == 1)
        await fleet.stack.aclose()
    async with fleet.hub.connect("person") as person, fleet.aggregator():
        fleet.person = person
        summary = await fleet.until("summary", lambda summary: summary["freshness"]["offline"] == 1)
        assert (summary["health"]["Healthy"], summary["sync"]["Synced"]) == (0, 0)
        assert summary["last_known"]["health"]["Healthy"] == 1
        cluster = await fleet.ask("cluster", name="shop1")
        assert (cluster["healthy"], cluster["presence"], cluster["freshness"]) == (0, "offline", "offline")
        app = await fleet.ask("app", name="till")
        assert (app["health"], app["freshness"], app["presence"]) == ("Healthy", "offline", "offline")


async def test_no_cluster_is_taken_for_connected_because_it_was_when_the_hub_went_down(fleet: Fleet) -> None:
    await fleet.apply("till", "shop1")
    await fleet.register("shop1")
    now_ms = HubClock().now().unix_ms
    async with fleet.hub.connect("aggregator") as connection:
        bucket = KeyValue(JetStream(connection), STATUSES)
        document = StatusRecord(codec.canonical(status("Healthy")), now_ms, now_ms)
        await bucket.put("shop1.till", document.pack())
        await bucket.put("shop1", EdgeRecord(True, now_ms, heard_at_ms=now_ms, epoch=1, seq=1).pack())
    async with fleet.aggregator():
        first = await fleet.until("app", bool, name="till")
        assert (first["health"], first["presence"], first["freshness"]) == ("Healthy", "offline", "offline")
        assert (await fleet.ask("summary"))["health"]["Healthy"] == 0


async def test_a_hubs_clock_that_is_set_back_keeps_no_word_fresh_and_ends_no_freshness(fleet: Fleet) -> None:
    clock, limits = SetClock(), FreshnessLimits(heartbeat_s=100)
    await fleet.apply("till", "shop1")
    async with fleet.aggregator(clock=clock.clock, freshness=limits):
        edge = await fleet.edge("shop1")
        for _ in range(3):
            edge.model.put("till", status("Healthy"))
            await edge.flush()
            await fleet.until("app", lambda app: app["freshness"] == "fresh", name="till")
            clock.is_set(-3_600_000)
            found = await fleet.ask("app", name="till")
            assert (found["freshness"], found["age_s"]) == ("fresh", 0)
            clock.passes(limits.word_holds_ms + 1)
            found = await fleet.ask("app", name="till")
            assert (found["freshness"], found["age_s"]) == ("stale", 200)
            assert (await fleet.ask("summary"))["health"]["Healthy"] == 0
            await edge.flush()
            await fleet.until("app", lambda app: app["freshness"] == "fresh", name="till")


async def test_what_was_said_before_an_outage_is_not_fresh_until_the_cluster_speaks_again(
    fleet: Fleet,
) -> None:
    clock = SetClock()
    await fleet.apply("till", "shop1")
    await fleet.register("shop1")
    async with fleet.aggregator(clock=clock.clock):
        model = EdgeModel()
        model.put("till", status("Healthy"))
        async with connected(fleet.edges["shop1"]) as connection:
            await FakeEdge(connection, "shop1", model).flush()
            await fleet.until("app", lambda app: app["freshness"] == "fresh", name="till")
        await fleet.until("app", lambda app: app["freshness"] == "offline", name="till")
        clock.passes(37 * 60_000)
        async with connected(fleet.edges["shop1"]) as connection:
            found = await fleet.until("app", lambda app: app["presence"] == "online", name="till")
            assert (found["freshness"], found["age_s"]) == ("stale", 2220)
            assert (await fleet.ask("summary"))["health"]["Healthy"] == 0
            await FakeEdge(connection, "shop1", model).flush()
            await fleet.until("app", lambda app: app["freshness"] == "fresh", name="till")


async def test_events_of_presence_are_in_order_whatever_becomes_of_the_hubs_clock(fleet: Fleet) -> None:
    clock = SetClock()
    await fleet.register("shop1")
    async with fleet.aggregator(clock=clock.clock):
        for _ in range(3):
            async with connected(fleet.edges["shop1"]):
                await fleet.until("cluster", presence("online"), name="shop1")
                clock.is_set(-3_600_000)
            await fleet.until("cluster", presence("offline"), name="shop1")
    told: list[tuple[str, str]] = []
    following = follow(JetStream(fleet.person), EVENTS.name)
    async with asyncio.timeout(WITHIN_S), aclosing(following):  # type: ignore[type-var]
        async for batch in following:
            told += [
                (json.loads(one.data)["sequence"], json.loads(one.data)["type"]) for one in batch.messages
            ]
            if batch.caught_up and len(told) == 6:
                break
    assert told == sorted(told)
    assert len({sequence for sequence, _ in told}) == 6


@asynccontextmanager
async def lying(settings: BusSettings, says: str) -> AsyncIterator[None]:
    """Connect with an edge's own JWT, and another one's name in everything that a client may write."""
    user = settings.user()
    context = ssl.create_default_context(cadata=settings.ca_pem)
    port = int(settings.servers[0].rsplit(":", 1)[1])
    reader, writer = await asyncio.open_connection("localhost", port, ssl=context)
    try:
        nonce = json.loads((await reader.readline()).split(b" ", 1)[1])["nonce"]
        signature = base64.urlsafe_b64encode(KeyPair(user.seed).sign(nonce.encode())).rstrip(b"=").decode()
        connect = {
            "jwt": user.jwt,
            "sig": signature,
            "user": says,
            "name": says,
            "nkey": generate("user").public,
        }
        writer.write(b"CONNECT " + json.dumps({**connect, "verbose": False}).encode() + b"\r\nPING\r\n")
        assert await reader.readline() == b"PONG\r\n"
        yield
    finally:
        writer.close()
        await writer.wait_closed()


async def test_the_renderer_of_a_pool_is_not_taken_for_the_cluster_of_its_name(fleet: Fleet) -> None:
    for name in ("shop1", "shop2"):
        await fleet.register(name)
    async with fleet.aggregator():
        async with fleet.hub.connect_pool("shop1"):
            # What comes after it tells that it was taken up.
            async with connected(fleet.edges["shop2"]):
                await fleet.until("cluster", presence("online"), name="shop2")
            assert (await fleet.ask("cluster", name="shop1"))["presence"] == "unknown"
        async with connected(fleet.edges["shop2"]):
            await fleet.until("cluster", presence("online"), name="shop2")
        assert "connection of an unknown key" not in fleet.rejections.counts
        assert "presence event" not in fleet.rejections.counts
