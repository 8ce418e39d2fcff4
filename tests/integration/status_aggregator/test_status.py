"""From an edge's batch to a person's answer, over a real server."""

import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.integration.status_aggregator.conftest import Fleet
from tests.integration.status_aggregator.fake_edge import FakeEdge
from tests.unit.status_aggregator.edge_model import EdgeModel, entry, gone, status

from outrider.bus import Connection, connected
from outrider.bus.jetstream import JetStream
from outrider.bus.services import RequestRefused
from outrider.messages import Desired
from outrider.records import EdgeRecord, StatusRecord
from outrider.tasks import background
from outrider.topology import STATUS
from status_aggregator.folding import Folding

HOUR_MS = 3_600_000


async def test_what_an_edge_says_is_what_a_person_is_told(fleet: Fleet) -> None:
    await fleet.apply("till", "shop1")
    async with fleet.aggregator():
        edge = await fleet.edge("shop1")
        edge.model.put("till", status("Progressing", message="1 of 2 pods"))
        await edge.flush()

        def shown(app: Any) -> bool:
            return bool(app["health"] == "Progressing" and app["freshness"] == "fresh")

        found = await fleet.until("app", shown, name="till")
        assert found["document"] == edge.model.documents["till"]
        assert (found["cluster"], found["project"], found["sync"]) == ("shop1", "shops", "Synced")
        assert (found["presence"], found["delivered"]) == ("online", True)
        assert found["message"] == "1 of 2 pods"
        edge.model.put("till", status("Healthy"))
        await edge.flush()
        summary = await fleet.until("summary", lambda summary: summary["health"]["Healthy"] == 1)
        assert summary["sync"]["Synced"] == summary["freshness"]["fresh"] == 1
        assert len((await fleet.ask("resources", name="till"))["items"]) == 2
        cluster = await fleet.ask("cluster", name="shop1")
        assert (cluster["healthy"], cluster["applications"], cluster["presence"]) == (1, 1, "online")


async def test_every_answer_says_how_far_it_may_be_trusted(fleet: Fleet) -> None:
    await fleet.apply("till", "shop1")
    async with fleet.aggregator():
        edge = await fleet.edge("shop1")
        edge.model.put("till", status("Healthy"))
        await edge.flush()
        await fleet.until("app", lambda app: app["freshness"] == "fresh", name="till")
        answers = [
            await fleet.ask("app", name="till"),
            *(await fleet.ask("apps"))["items"],
            await fleet.ask("resources", name="till"),
            await fleet.ask("journal", name="till"),
            await fleet.ask("journal", cluster="shop1"),
            await fleet.ask("cluster", name="shop1"),
            *(await fleet.ask("clusters"))["items"],
        ]
        for answer in answers:
            assert (answer["freshness"], answer["presence"]) == ("fresh", "online")
            times = [answer[f"{word}_at_ms"] for word in ("observed", "received", "heard")]
            assert 0 < times[0] <= times[1] <= times[2]
            assert answer["age_s"] in range(20)
        summary = await fleet.ask("summary")
        assert summary["freshness"] == summary["cluster_freshness"]
        assert summary["freshness"] == {"fresh": 1, "stale": 0, "offline": 0, "unknown": 0}


async def test_who_asks_for_healthy_applications_gets_none_that_nobody_has_heard_from(fleet: Fleet) -> None:
    await fleet.apply("till", "shop1")
    await fleet.apply("menu", "shop2")
    async with fleet.aggregator():
        edge = await fleet.edge("shop2")
        edge.model.put("menu", status("Healthy"))
        await edge.flush()
        async with connected(await fleet.registered("shop1")) as connection:
            away = FakeEdge(connection, "shop1", EdgeModel())
            away.model.put("till", status("Healthy"))
            await away.flush()
            await fleet.until("summary", lambda summary: summary["freshness"]["fresh"] == 2)
        await fleet.until("summary", lambda summary: summary["freshness"]["offline"] == 1)
        assert await pages(fleet, "apps", health="Healthy") == ["menu"]
        assert await pages(fleet, "apps", sync="Synced") == ["menu"]
        assert await pages(fleet, "apps", health="Unknown") == ["till"]
        assert await pages(fleet, "apps", freshness="offline") == ["till"]
        assert await pages(fleet, "apps", freshness="offline", health="Healthy") == ["till"]
        assert await pages(fleet, "apps", freshness="offline", health="Degraded") == []


async def test_what_a_cluster_says_of_itself_is_shown_with_it_and_counts_as_no_application(
    fleet: Fleet,
) -> None:
    async with fleet.aggregator():
        edge = await fleet.edge("shop1")
        about = {"agent": {"version": "1.0"}, "conditions": [{"type": "Hold", "message": "stocktaking"}]}
        edge.model.put("$cluster", about)
        await edge.flush()
        cluster = await fleet.until("cluster", lambda cluster: bool(cluster["about"]), name="shop1")
        assert (cluster["about"], cluster["applications"]) == (about, 0)
        assert (await fleet.ask("apps"))["items"] == []
    async with fleet.aggregator():
        restarted = await fleet.until("cluster", lambda cluster: bool(cluster["about"]), name="shop1")
        assert restarted["about"] == about


async def test_a_question_about_what_does_not_exist_is_refused_with_a_sentence(fleet: Fleet) -> None:
    async with fleet.aggregator():
        await fleet.until("summary", bool)
        refused: list[tuple[str, dict[str, object], str]] = [
            ("app", {"name": "till"}, "there is no application 'till'"),
            ("cluster", {"name": "shop9"}, "no cluster is registered as 'shop9'"),
            ("apps", {"limit": 501}, "`limit` must be from 1 to 500"),
            ("apps", {"health": "Splendid"}, "`health` must be one of Healthy"),
            ("apps", {"after": 7}, "`after` must be text"),
        ]
        for verb, arguments, sentence in refused:
            with pytest.raises(RequestRefused, match=sentence):
                await fleet.ask(verb, **arguments)


async def test_what_a_lost_batch_said_is_asked_for_and_arrives(fleet: Fleet) -> None:
    async with fleet.aggregator():
        edge = await fleet.edge("shop1")
        for app in ("till", "menu"):
            edge.model.put(app, status("Healthy"))
        await edge.flush()
        edge.model.put("till", status("Degraded"))
        edge.model.take()
        edge.model.put("menu", status("Progressing"))
        await edge.flush()
        await fleet.until_documents("shop1", edge.model.documents)
        assert await edge.asked.get() is None


async def test_a_patch_against_a_lost_document_asks_for_that_application_alone(fleet: Fleet) -> None:
    async with fleet.aggregator():
        edge = await fleet.edge("shop1")
        for app in ("till", "menu"):
            edge.model.put(app, status("Healthy"))
        await edge.flush()
        edge.model.put("till", status("Degraded"))
        edge.model.take()
        edge.model.put("till", status("Degraded", objects=5))
        await edge.flush()
        await fleet.until_documents("shop1", edge.model.documents)
        assert await edge.asked.get() == ["till"]


async def test_a_rebuilt_edge_that_sends_its_set_in_parts_loses_what_it_no_longer_has(fleet: Fleet) -> None:
    async with fleet.aggregator():
        edge = await fleet.edge("shop1")
        for n in range(6):
            edge.model.put(f"app{n}", status("Healthy"))
        await edge.flush()
        await fleet.until_documents("shop1", edge.model.documents)
        del edge.model.documents["app4"]
        edge.model.restart()
        while edge.model.dirty:
            await edge.flush(most=2)
        await fleet.until_documents("shop1", edge.model.documents)


async def test_malformed_foreign_and_oversized_messages_are_counted_and_the_stream_goes_on(
    fleet: Fleet,
) -> None:
    stranger = await fleet.edge("stranger")
    await fleet.unregister("stranger")
    async with fleet.aggregator() as sources:
        edge = await fleet.edge("shop1")
        edge.model.put("till", status("Healthy"))
        await edge.flush()
        for data in (b"", b"\xc1", b"[]", bytes(900_000), b"\x92\x09\x01"):
            await edge.send(data)
        bomb = {**status(), "padding": "x" * (2 << 20)}
        for bad in ([1, 2], ["../x", bytes(8), None, b""], entry("bad", bomb), entry("worse", {"sync": 1})):
            edge.model.seq += 1
            sent = edge.model.take()
            await edge.send(
                type(sent)(sent.epoch, sent.seq, sent.observed_at_ms, sent.set_digest, [bad]).pack()
            )
        stranger.model.put("till", status("Degraded"))
        await stranger.flush()
        edge.model.put("menu", status("Degraded"))
        await edge.flush()
        await fleet.until_documents("shop1", edge.model.documents)
        assert {
            "malformed batch",
            "batch of an unknown version",
            "batch of a cluster that is not registered",
            "malformed entry",
            "document too large",
            "not a status document",
        } <= set(sources.rejections.counts)


async def test_a_document_that_cannot_be_taken_is_told_beside_the_last_good_one(fleet: Fleet) -> None:
    for app in ("till", "menu", "huge"):
        await fleet.apply(app, "shop1")
    async with fleet.aggregator() as sources:
        edge = await fleet.edge("shop1")
        edge.model.put("till", status("Healthy"))
        edge.model.put("menu", status("Healthy"))
        await edge.flush()
        edge.model.put("till", {**status("Degraded"), "conditions": ["text"]})
        await edge.flush()
        edge.model.put("huge", status("Healthy", objects=12_000))
        edge.model.put("menu", status("Progressing"))
        await edge.flush()
        await fleet.until("app", lambda app: app["health"] == "Progressing", name="menu")
        trouble = "the hub can't take the newest status of this application: "
        found = await fleet.until("app", lambda app: app["message"].startswith(trouble), name="till")
        assert (found["health"], found["freshness"]) == ("Healthy", "unknown")
        assert found["document"]["resources"] == status("Healthy")["resources"]
        found = await fleet.until(
            "app", lambda app: app["message"] == f"{trouble}document too large", name="huge"
        )
        assert (found["health"], found["freshness"]) == ("Unknown", "unknown")
        assert sources.rejections.counts["not a status document"] == 1
        assert edge.asked.empty()
        edge.model.put("till", status("Degraded"))
        await edge.flush()
        found = await fleet.until("app", lambda app: app["freshness"] == "fresh", name="till")
        assert (found["health"], found["message"]) == ("Degraded", "")


async def test_an_application_that_the_edge_confirms_to_be_gone_has_no_status(fleet: Fleet) -> None:
    await fleet.apply("till", "shop1")
    await fleet.apply("menu", "shop1")
    async with fleet.aggregator():
        edge = await fleet.edge("shop1")
        edge.model.put("till", status("Healthy"))
        await edge.flush()
        await fleet.until("app", lambda app: app["health"] == "Healthy", name="till")
        for app in ("till", "menu"):
            await fleet.desire(app, "shop1", Desired(bytes(16), 1, 5, {}))
        found = await fleet.until("app", lambda app: not app["delivered"], name="till")
        assert (found["sync"], found["message"]) == (
            "OutOfSync",
            "to be removed; the cluster has not confirmed it yet",
        )
        edge.model.remove("till")
        sent = edge.model.take()
        # The edge never had a document of `menu`; the registry waits for the word that it is gone.
        sent.entries.append(gone("menu"))
        await edge.send(sent.pack())
        await fleet.until_documents("shop1", edge.model.documents)
        await fleet.until("app", lambda app: app["health"] == "Unknown", name="till")


async def test_with_a_cluster_that_is_removed_goes_what_was_known_of_it(fleet: Fleet) -> None:
    async with fleet.aggregator():
        edge = await fleet.edge("shop1")
        edge.model.put("till", status("Healthy"))
        await edge.flush()
        await fleet.until_documents("shop1", edge.model.documents)
        await fleet.unregister("shop1")
        await fleet.until_stored(lambda found: not found)
        with pytest.raises(RequestRefused):
            await fleet.ask("cluster", name="shop1")


async def test_an_application_whose_newest_state_is_not_at_its_edge_is_shown_as_not_delivered(
    fleet: Fleet,
) -> None:
    await fleet.apply("till", "shop1")
    await fleet.apply("menu", "shop1")
    await fleet.apply("lost", "nowhere")
    async with fleet.aggregator():
        edge = await fleet.edge("shop1")
        edge.model.put("till", status("Healthy"))
        await edge.flush()
        await fleet.until("app", lambda app: app["delivered"], name="till")
        await fleet.apply("till", "shop1", revision="b" * 40, counter=2)
        found = await fleet.until("app", lambda app: not app["delivered"], name="till")
        assert (found["sync"], found["desired_revision"], found["revision"]) == (
            "OutOfSync",
            "b" * 40,
            "a" * 40,
        )
        assert found["message"] == f"revision {'b' * 40} has not reached the cluster yet; it is at {'a' * 40}"
        await fleet.complain("till", "deploy/app.yaml:3: mapping values are not allowed here")
        found = await fleet.until("app", lambda app: "mapping values" in app["message"], name="till")
        assert [one["from"] for one in found["conditions"]] == ["hub"]
        listed = {app["name"]: app for app in (await fleet.ask("apps"))["items"]}
        assert (listed["menu"]["sync"], listed["menu"]["health"], listed["menu"]["freshness"]) == (
            "Unknown",
            "Unknown",
            "unknown",
        )
        assert listed["lost"]["message"] == "no cluster is registered as 'nowhere'"


@pytest.mark.parametrize("behind_ms", [HOUR_MS, -HOUR_MS], ids=["behind", "ahead"])
async def test_the_edges_time_is_shown_by_the_hubs_clock(fleet: Fleet, behind_ms: int) -> None:
    await fleet.apply("till", "shop1")
    async with fleet.aggregator():
        edge = await fleet.edge("shop1", clock_behind_ms=behind_ms)
        edge.model.put("till", status("Healthy"))
        await edge.flush()
        found = await fleet.until("app", lambda app: app["freshness"] == "fresh", name="till")
        assert abs(found["observed_at_ms"] - time.time_ns() // 1_000_000) < HOUR_MS / 2
        assert found["observed_at_ms"] <= found["received_at_ms"]
        cluster = await fleet.until("cluster", lambda one: one["clock_offset_ms"], name="shop1")
        assert abs(cluster["clock_offset_ms"] - behind_ms) < HOUR_MS / 2


async def test_a_clock_that_is_set_during_a_connection_or_while_offline_is_followed(fleet: Fleet) -> None:
    await fleet.apply("till", "shop1")

    def is_measured(cluster: Any) -> bool:
        return bool(abs(cluster["clock_offset_ms"] - edge.clock_behind_ms) < HOUR_MS / 2)

    async with fleet.aggregator():
        edge = await fleet.edge("shop1")
        await edge.flush()
        await edge.flush()
        for edge.clock_behind_ms in (-HOUR_MS, HOUR_MS):
            await edge.flush()
            await edge.flush()
            await fleet.until("cluster", is_measured, name="shop1")
        async with (
            connected(fleet.edges["shop1"]) as again,
            FakeEdge(again, "shop1", edge.model, -HOUR_MS).answering() as edge,
        ):
            await edge.flush()
            await fleet.until("cluster", is_measured, name="shop1")


class LaterServer(JetStream):
    """A server by whose clock the stream's messages came a while ago; less than nothing: it was set back since."""

    def __init__(self, connection: Connection, later_ms: int) -> None:
        super().__init__(connection)
        self._later = timedelta(milliseconds=later_ms)

    async def api(self, verb: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = await super().api(verb, body)
        if verb == f"STREAM.INFO.{STATUS.name}":
            seconds = answer["ts"].partition(".")[0]
            answer["ts"] = (datetime.fromisoformat(f"{seconds}+00:00") + self._later).isoformat()[:19] + "Z"
        return answer


async def found_waiting(fleet: Fleet, later_ms: int) -> tuple[StatusRecord, EdgeRecord, Folding]:
    """Fold what an edge said while nobody folded."""
    edge = await fleet.edge("shop1")
    edge.model.put("till", status("Healthy"))
    seq = await edge.flush()
    async with (
        fleet.hub.connect("aggregator") as connection,
        fleet.folding(LaterServer(connection, later_ms)) as part,
        background(part.run(), name="fold"),
    ):
        await fleet.until_committed(seq)
        found = await fleet.until_stored(lambda found: "shop1" in found and "shop1.till" in found)
        return StatusRecord.unpack(found["shop1.till"]), EdgeRecord.unpack(found["shop1"]), part


async def test_batches_that_waited_while_nobody_folded_are_as_old_as_they_are(fleet: Fleet) -> None:
    now_ms, day_ms = time.time_ns() // 1_000_000, 24 * 3_600_000
    document, edge, part = await found_waiting(fleet, day_ms)
    assert abs(document.received_at_ms - (now_ms - day_ms)) < day_ms / 2
    assert abs(edge.heard_at_ms - (now_ms - day_ms)) < day_ms / 2
    assert abs(edge.heard_late_ms - day_ms) < day_ms / 2
    # The time in the stream is not the time that the batch was under way.
    assert edge.clock_offset_ms == 0
    assert abs(part.ingest.arrival.lag_ms - day_ms) < day_ms / 2


async def test_of_batches_that_waited_while_a_clock_was_set_back_nobody_claims_to_know_the_age(
    fleet: Fleet,
) -> None:
    _, edge, _ = await found_waiting(fleet, -24 * 3_600_000)
    assert edge.heard_late_ms == -1
    await fleet.apply("till", "shop1")
    async with fleet.aggregator():
        found = await fleet.until("app", lambda app: app["presence"] == "online", name="till")
        assert (found["health"], found["freshness"], found["age_s"]) == ("Healthy", "stale", None)
        sender = await fleet.edge("shop1", EdgeModel(epoch=2))
        await sender.flush()
        await fleet.until("cluster", lambda cluster: cluster["freshness"] == "fresh", name="shop1")


async def test_lists_come_in_pages_in_the_order_of_names(fleet: Fleet) -> None:
    names = [f"app-{n:02d}" for n in range(23)]
    for n, name in enumerate(names):
        await fleet.apply(name, f"shop{n % 2 + 1}")
    async with fleet.aggregator():
        for cluster in ("shop1", "shop2"):
            edge = await fleet.edge(cluster)
            for name in names[cluster == "shop2" :: 2]:
                edge.model.put(name, status("Degraded" if name.endswith("7") else "Healthy"))
            await edge.flush()
        await fleet.until("summary", lambda summary: summary["freshness"]["fresh"] == 23)
        assert await pages(fleet, "apps", limit=5) == names
        assert await pages(fleet, "apps", limit=4, cluster="shop2") == names[1::2]
        assert await pages(fleet, "apps", limit=1, health="Degraded") == ["app-07", "app-17"]
        assert await pages(fleet, "apps", name="p-1", freshness="fresh", sync="Synced") == names[10:20]
        assert await pages(fleet, "apps", freshness="stale") == []
        assert await pages(fleet, "clusters", limit=1) == ["shop1", "shop2"]


async def test_no_answer_is_larger_than_a_message(fleet: Fleet) -> None:
    await fleet.apply("till", "shop1")
    async with fleet.aggregator():
        edge = await fleet.edge("shop1")
        edge.model.put("till", status("Healthy", objects=5_000))
        await edge.flush()
        found = await fleet.until("app", lambda app: app["health"] == "Healthy", name="till")
        assert found["truncated"]
        assert found["document"]["sync"]["status"] == "Synced"
        resources: list[Any] = []
        after: int | None = 0
        while after is not None:
            page = await fleet.ask("resources", name="till", after=after)
            resources += page["items"]
            after = page["next"]
        assert resources == edge.model.documents["till"]["resources"]


async def pages(fleet: Fleet, verb: str, **arguments: Any) -> list[str]:
    """Return the names on all pages."""
    names: list[str] = []
    after: str | None = ""
    while after is not None:
        page = await fleet.ask(verb, after=after, **arguments)
        names += [item["name"] for item in page["items"]]
        after = page["next"]
    return names
