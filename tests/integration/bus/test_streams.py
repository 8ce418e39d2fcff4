import asyncio
from typing import Any

import pytest

from outrider import subjects
from outrider.bus import NoResponders, NotFound, WrongRevision
from outrider.bus.buckets import KeyValue
from outrider.bus.follow import follow
from outrider.bus.jetstream import JetStream
from outrider.bus.objects import Objects
from outrider.bus.services import Endpoint, RequestRefused, ask, serve
from outrider.bus.topology import ensure
from outrider.names import AppName, ClusterName
from outrider.tasks import background
from outrider.topology import APPLICATIONS, BUNDLES, HUB

SHOP, GUESTBOOK = ClusterName("shop1"), AppName("guestbook")


async def test_declaring_the_topology_again_changes_nothing(hub: Any) -> None:
    async with hub.connect("aggregator") as connection:
        js = JetStream(connection)
        await ensure(js, HUB.of("aggregator"))
        assert (await js.api("STREAM.INFO.DESIRED"))["config"]["max_msgs_per_subject"] == 1


async def test_an_edge_receives_its_desired_records_and_no_other(hub: Any) -> None:
    received: asyncio.Queue[Any] = asyncio.Queue()
    async with hub.connect("registry") as registry, hub.connect_edge("shop1") as edge:
        await edge.subscribe(subjects.desired_of(SHOP), received.put)
        await edge.flush()
        js = JetStream(registry)
        await js.publish(subjects.desired(ClusterName("shop2"), GUESTBOOK), b"other")
        seq = await js.publish(subjects.desired(SHOP, GUESTBOOK), b"record")
        async with asyncio.timeout(5):
            assert (await received.get()).data == b"record"
        assert received.empty()
        found = await js.following("DESIRED", subjects.desired_of(SHOP), 1, 10)
        assert [(m.seq, m.data) for m in found] == [(seq, b"record")]
        assert await js.following("DESIRED", subjects.desired_of(SHOP), seq + 1, 10) == []


async def test_a_bucket_is_watched_from_its_newest_values_on(hub: Any) -> None:
    async with hub.connect("registry") as connection:
        bucket = KeyValue(JetStream(connection), APPLICATIONS)
        first = await bucket.put("a", b"1")
        await bucket.put("gone", b"x")
        await bucket.delete("gone")
        assert (await bucket.get("a")).revision == first
        with pytest.raises(NotFound):
            await bucket.get("gone")
        with pytest.raises(WrongRevision):
            await bucket.replace("a", b"2", first + 7)
        watching = bucket.watch()
        async with asyncio.timeout(5):
            start = await anext(watching)
            assert {c.key: c.value for c in start.changes} == {"a": b"1", "gone": None}
            assert start.caught_up
            await bucket.replace("a", b"2", first)
            assert [(c.key, c.value) for c in (await anext(watching)).changes] == [("a", b"2")]
        await watching.aclose()  # type: ignore[attr-defined]


async def test_following_goes_on_where_it_was_after_the_server_cut_the_connection(hub: Any) -> None:
    async with hub.connect("registry") as writer, hub.connect("registry") as reader:
        js = JetStream(writer)
        seen: list[bytes] = []
        for n in range(3):
            await js.publish(subjects.desired(SHOP, AppName(f"app{n}")), b"%d" % n)
        async with asyncio.timeout(20):
            async for batch in follow(JetStream(reader), "DESIRED", after_seq=0):
                seen += [m.data for m in batch.messages]
                if len(seen) == 3:
                    await reader.client._transport._io_writer.drain()
                    reader.client._transport._io_writer.transport.abort()
                    await reader.wait_lost()
                    await js.publish(subjects.desired(SHOP, AppName("app3")), b"3")
                if len(seen) >= 4:
                    break
        assert seen == [b"0", b"1", b"2", b"3"]


async def test_an_object_is_read_back_as_it_was_stored(hub: Any) -> None:
    async with hub.connect("renderer") as connection:
        objects = Objects(connection, BUNDLES)
        data = bytes(range(256)) * 2000
        await objects.put("d1", data)
        await objects.put("d1", data)
        assert await objects.get("d1") == data
        with pytest.raises(NotFound):
            await objects.get("d2")


async def test_a_service_answers_refuses_with_a_sentence_and_is_discoverable(hub: Any) -> None:
    async def double(arguments: dict[str, Any]) -> Any:
        if "n" not in arguments:
            raise RequestRefused("n is missing")
        return {"n": arguments["n"] * 2}

    async with hub.connect("registry") as server, hub.connect("person") as person:
        endpoint = Endpoint("double", subjects.registry("double"), double)
        async with background(serve(server, "app-registry", "0.1.0", [endpoint]), name="serve"):
            async with asyncio.timeout(5):
                while True:
                    try:
                        answer = await ask(person, subjects.registry("double"), {"n": 21})
                        break
                    except NoResponders:
                        await asyncio.sleep(0)
            assert answer == {"n": 42}
            with pytest.raises(RequestRefused, match="n is missing"):
                await ask(person, subjects.registry("double"), {})
            assert (await person.request("$SRV.PING.app-registry", timeout_s=2)).data
