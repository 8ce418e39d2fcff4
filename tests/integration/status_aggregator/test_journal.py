from typing import Any

from tests.integration.status_aggregator.conftest import Fleet

from outrider import codec, delta, subjects
from outrider.bus.jetstream import JetStream
from outrider.messages import JournalBatch
from outrider.names import ClusterName


def batch(entries: list[list[Any]]) -> bytes:
    return JournalBatch(7, delta.compress_fast(codec.pack(entries))).pack()


async def test_the_hub_tells_what_an_edge_wrote_down_once_in_order_and_page_by_page(fleet: Fleet) -> None:
    await fleet.apply("till", "shop1")
    async with fleet.aggregator():
        edge = await fleet.edge("shop1")
        await fleet.until("app", lambda app: app["cluster"] == "shop1", name="till")
        stream, place = JetStream(edge.connection), subjects.journal(ClusterName("shop1"))
        drifted = batch([[1, 1000, "till", "drift", {}], [2, 2000, "till", "in-sync", {}]])
        for data in (drifted, drifted, batch([[3, 3000, "", "outage-ended", {}]]), b"nonsense"):
            await stream.publish(place, data)
        whole = await fleet.ask("journal", cluster="shop1")
        told = [(one["place"], one["kind"]) for one in whole["items"]]
        assert told == [([7, 1], "drift"), ([7, 2], "in-sync"), ([7, 3], "outage-ended")]
        assert whole["previous"] is None
        newest = await fleet.ask("journal", cluster="shop1", limit=2)
        assert [one["place"] for one in newest["items"]] == [[7, 2], [7, 3]]
        older = await fleet.ask("journal", cluster="shop1", limit=2, before=newest["previous"])
        assert ([one["place"] for one in older["items"]], older["previous"]) == ([[7, 1]], None)
        of_app = await fleet.ask("journal", name="till")
        assert [one["app"] for one in of_app["items"]] == ["till", "till"]
        rebuilt = JournalBatch(3, delta.compress_fast(codec.pack([[1, 500, "", "agent-started", {}]]))).pack()
        await stream.publish(place, rebuilt)
        newest = await fleet.ask("journal", cluster="shop1", limit=2)
        assert [one["place"] for one in newest["items"]] == [[7, 3], [3, 1]]
        older = await fleet.ask("journal", cluster="shop1", limit=9, before=newest["items"][1]["place"])
        assert [one["place"] for one in older["items"]] == [[7, 1], [7, 2], [7, 3]]
        # With its cluster named, what happened to the cluster as a whole stands beside it, and it need not exist any more.
        beside = await fleet.ask("journal", cluster="shop1", name="till")
        assert [one["app"] for one in beside["items"]] == ["till", "till", "", ""]
        gone = await fleet.ask("journal", cluster="shop1", name="gone")
        assert [one["app"] for one in gone["items"]] == ["", ""]
