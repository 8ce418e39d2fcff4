"""The process as others see it: settings, exit status, metrics, events."""

import asyncio
import json
import socket
from contextlib import aclosing
from typing import Any

import pytest
from tests.integration.status_aggregator.conftest import WITHIN_S, Fleet, eventually
from tests.unit.status_aggregator.edge_model import operation, status

from outrider.bus.follow import follow
from outrider.bus.jetstream import JetStream
from outrider.topology import EVENTS


async def test_it_ends_with_status_0_when_it_is_asked_to(fleet: Fleet) -> None:
    async with fleet.process() as process:
        await fleet.until("summary", bool)
        process.terminate()
        async with asyncio.timeout(WITHIN_S):
            assert await process.wait() == 0


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (
            {"OUTRIDER_CREDENTIALS": ""},
            "OUTRIDER_CREDENTIALS is not set: name the aggregator's credentials file",
        ),
        ({"OUTRIDER_METRICS": "127.0.0.1:{taken}"}, "set OUTRIDER_METRICS to another address"),
    ],
    ids=["no-credentials", "taken"],
)
async def test_a_wrong_setting_is_one_sentence_and_status_2(
    fleet: Fleet, wrong: dict[str, str], sentence: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = {name: value.format(taken=port) for name, value in wrong.items()}
        async with fleet.process(**settings) as process, asyncio.timeout(WITHIN_S):
            assert process.stderr is not None
            said = (await process.stderr.read()).decode().strip()
            assert await process.wait() == 2
    assert sentence in said
    assert len(said.splitlines()) == 1


ABOUT = {
    "link": {"bytes_per_day": 1000, "spent_today": 700, "spent": {"health": 400, "telepathy": 9}},
    "conditions": [{"type": "LinkBudgetSpent", "message": "most of today's bytes are spent"}],
}


async def test_metrics_tell_what_is_known_and_what_was_ignored(fleet: Fleet) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    await fleet.apply("till", "shop1")
    async with fleet.process(OUTRIDER_METRICS=f"127.0.0.1:{port}"):
        edge = await fleet.edge("shop1")
        edge.model.put("till", status("Degraded"))
        edge.model.put("$cluster", ABOUT)
        await edge.flush()
        await edge.send(b"no batch")
        wanted = {
            'outrider_applications{health="Degraded",sync="Synced",freshness="fresh"}': 1,
            'outrider_clusters{presence="online",freshness="fresh"}': 1,
            'outrider_rejected_total{kind="malformed batch"}': 1,
            "outrider_status_changes_total": 2,
            "outrider_status_documents_written_total": 2,
            'outrider_cluster_last_word_age_seconds_bucket{le="60"}': 1,
            "outrider_folding": 1,
            "outrider_link_bytes_today": 700,
            'outrider_link_bytes{lane="health"}': 400,
            "outrider_link_budgeted_clusters": 1,
            'outrider_cluster_conditions{type="LinkBudgetSpent"}': 1,
            "outrider_clusters_on_hold": 0,
        }

        async def told() -> bool | None:
            _, body = await get(port, "/metrics")
            lines = (line.rsplit(" ", 1) for line in body.splitlines() if not line.startswith("#"))
            samples = {name: float(value) for name, value in lines}
            return True if wanted.items() <= samples.items() else None

        await eventually(told)
        assert (await get(port, "/"))[0].startswith("HTTP/1.1 404")
        assert (await get(port, "/metrics", "POST"))[0].startswith("HTTP/1.1 405")


async def test_others_are_told_of_syncs_health_and_presence_in_cloud_events(fleet: Fleet) -> None:
    done = operation("Succeeded", "2026-01-01T10:00:00Z")
    async with fleet.aggregator():
        edge = await fleet.edge("shop1")
        edge.model.put("shop_till", status("Healthy", operation=done))
        await edge.flush()
        edge.model.put("shop_till", status("Degraded", operation=done))
        await edge.flush()
        edge.model.put("shop_till", status("Degraded", operation=operation("Failed", "2026-01-01T11:00:00Z")))
        await edge.flush()
        told = await events(fleet, 5)
    assert set(told) == {
        "events.shop1._.cluster-online ",
        "events.shop1.shop_till.health-changed Unknown",
        "events.shop1.shop_till.health-changed Healthy",
        "events.shop1.shop_till.sync-succeeded ",
        "events.shop1.shop_till.sync-failed ",
    }
    failed = told["events.shop1.shop_till.sync-failed "]
    assert failed["data"].pop("observedAt") <= failed["time"]
    online = told["events.shop1._.cluster-online "]["data"]
    assert (online["presence"], online["freshness"] in ("unknown", "stale")) == ("online", True)
    assert failed["specversion"] == "1.0"
    assert failed["type"] == "dev.outrider.sync.failed"
    assert failed["subject"] == "clusters/shop1/applications/shop.till"
    assert failed["data"] == {
        "cluster": "shop1",
        "application": "shop.till",
        "sync": "Synced",
        "health": "Degraded",
        "revision": "a" * 40,
        "startedAt": "2026-01-01T11:00:00Z",
    }


async def events(fleet: Fleet, number: int) -> dict[str, Any]:
    """Return that many events, by subject and what was before."""
    told: dict[str, Any] = {}
    following = follow(JetStream(fleet.person), EVENTS.name)
    async with asyncio.timeout(WITHIN_S), aclosing(following):  # type: ignore[type-var]
        async for batch in following:
            for stored in batch.messages:
                event = json.loads(stored.data)
                assert stored.headers["Nats-Msg-Id"] == event["id"]
                told[f"{stored.subject} {event['data'].get('before', '')}"] = event
            if len(told) == number:
                return told
    raise AssertionError("a stream does not end")


async def get(port: int, path: str, method: str = "GET") -> tuple[str, str]:
    """Return head and body of an HTTP answer; nothing while nobody listens."""
    async with asyncio.timeout(WITHIN_S):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            return "", ""
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = (await reader.read()).decode()
        writer.close()
        await writer.wait_closed()
    head, body = answer.split("\r\n\r\n", 1)
    return head, body
