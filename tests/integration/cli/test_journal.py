"""What an edge did, in words."""

import json
from datetime import datetime
from typing import Any

import pytest
from tests.integration.cli.conftest import Outrider
from tests.integration.cli.services import COMMIT, Services, seen

NOON_MS = round(datetime.now().astimezone().replace(hour=12, minute=0, second=0).timestamp() * 1000)
HOUR_MS = 3_600_000


def entry(number: int, kind: str, app: str = "", **detail: Any) -> dict[str, Any]:
    return {
        "at_ms": NOON_MS + number * 1000,
        "app": app,
        "kind": kind,
        "detail": detail,
        "place": [7, number],
    }


@pytest.fixture
def shop(services: Services) -> Services:
    """A cluster that was away for two hours, and what it did."""
    services.presences = [
        {"name": "shop1", "presence": "online", "freshness": "fresh", "heard_at_ms": NOON_MS, "age_s": 4}
    ]
    counts = {"drift": 20, "in-sync": 11}
    services.journal = [
        entry(1, "agent-started", version="1.2"),
        entry(2, "sync-succeeded", "web", revision=COMMIT, resources=5, by="anna"),
        entry(3, "outage-began"),
        {**entry(4, "gap", to=34, counts=counts, until_ms=NOON_MS + HOUR_MS)},
        entry(35, "drift", "web", resources=["Deployment shop/web"], count=3),
        entry(36, "in-sync", "web", revision=COMMIT),
        entry(37, "sync-failed", "till", revision=COMMIT, message="one or more objects failed"),
        entry(38, "health", "web", **{"from": "Healthy", "to": "Degraded", "message": "image not found"}),
        entry(39, "condition", "web", type="SyncError", **{"is": True, "message": "no quota"}),
        entry(40, "condition", "web", type="SyncError", **{"is": False}),
        {**entry(41, "outage-ended"), "at_ms": NOON_MS + 3000 + 2 * HOUR_MS},
        entry(42, "held", why="stocktaking"),
        entry(43, "removed", "till"),
    ]
    return services


async def test_a_journal_is_told_in_words_oldest_first_with_outages_marked(
    shop: Services, outrider: Outrider
) -> None:
    ended = await outrider("journal", "shop1")
    assert (ended.status, ended.stderr) == (0, "")
    lines = [line.split("  ") for line in ended.stdout.splitlines()]
    assert lines[0] == ["cluster shop1: last word 4 s ago"]
    told = [[cell.strip() for cell in line if cell] for line in lines[3:]]
    assert told == [
        ["12:00:01", "-", "the agent started, version 1.2"],
        ["12:00:02", "web", f"synced to {COMMIT[:7]}, 5 objects, asked for by anna"],
        ["12:00:03", "offline", "-", "lost the hub"],
        ["12:00:04", "offline", "-", "31 entries thinned: 20 drift, 11 in-sync, until 13:00:00"],
        ["12:00:35", "offline", "web", "drift: Deployment shop/web and 2 more"],
        ["12:00:36", "offline", "web", f"in sync again at {COMMIT[:7]}"],
        ["12:00:37", "offline", "till", f"sync of {COMMIT[:7]} failed: one or more objects failed"],
        ["12:00:38", "offline", "web", "Healthy → Degraded: image not found"],
        ["12:00:39", "offline", "web", "SyncError: no quota"],
        ["12:00:40", "offline", "web", "SyncError is over"],
        ["14:00:03", "offline", "-", "reached the hub again, after 2 h"],
        ["12:00:42", "-", "held: why stocktaking"],
        ["12:00:43", "till", "removed"],
    ]


async def test_the_newest_entries_are_told_up_to_a_limit_over_all_pages(
    shop: Services, outrider: Outrider
) -> None:
    ended = await outrider("journal", "shop1", "--limit", 5)
    shown = ended.stdout.splitlines()
    assert [line.split()[0] for line in shown[3:-1]] == [
        "12:00:39",
        "12:00:40",
        "14:00:03",
        "12:00:42",
        "12:00:43",
    ]
    # It begins in the middle of an outage.
    assert "offline" in shown[3]
    assert shown[-1] == "… and older ones: --limit"
    found = json.loads((await outrider("journal", "shop1", "-o", "json")).stdout)
    assert found["items"] == shop.journal
    assert (found["freshness"], found["age_s"], found["previous"]) == ("fresh", 4, None)


async def test_of_one_application_the_journal_tells_with_what_happened_to_its_cluster(
    shop: Services, outrider: Outrider
) -> None:
    shop.statuses["web"] = seen("web")
    for command in (["shop1", "--app", "web"], ["--app", "web"]):
        shown = (await outrider("journal", *command)).stdout
        assert "thinned" in shown
        assert "reached the hub again" in shown
        assert "till" not in shown
    assert (await outrider("journal")).status == 2
    assert (await outrider("journal", "*")).status == 2


async def test_the_journal_of_a_cluster_that_is_away_says_how_far_it_reaches(
    shop: Services, outrider: Outrider
) -> None:
    shop.presences[0] |= {"presence": "offline", "freshness": "offline", "age_s": 2220}
    ended = await outrider("journal", "shop1")
    told = ended.stdout.splitlines()[0]
    assert told.startswith("cluster shop1: as of ")
    assert told.endswith("37 min ago, cluster offline; what happened since, it tells when it is back")
    assert ended.stderr == f"note: {told}\n"


async def test_what_an_edge_tells_in_no_known_shape_is_told_as_it_is(
    shop: Services, outrider: Outrider
) -> None:
    evil = "\x1b[2J\u202e"
    shop.journal = [
        {"at_ms": "soon", "app": evil, "kind": "gap", "detail": {"counts": [1]}, "place": [7, 1]},
        {"at_ms": 1, "app": "", "kind": "sync-failed", "detail": [evil], "place": [7, 2]},
        {"at_ms": 2, "app": "", "kind": evil, "detail": {evil: evil}, "place": [7, 3]},
        {"at_ms": 3, "app": "", "kind": "drift", "detail": {"count": "many"}, "place": [7, 4]},
    ]
    for output in ("table", "json", "yaml"):
        ended = await outrider("journal", "shop1", "-o", output)
        assert ended.status == 0, ended.stderr
        assert not {"\x1b", "\u202e"} & set(ended.stdout)
