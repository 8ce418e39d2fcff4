from typing import Any

import pytest

from outrider_cli.app.waiting import Goal

BOTH = Goal(synced=True, healthy=True)
DONE = {"phase": "Succeeded", "startedAt": "2026-03-14T14:02:00Z", "finishedAt": "2026-03-14T14:02:01Z"}


def item(**fields: Any) -> dict[str, Any]:
    known = {
        "sync": "Synced",
        "health": "Healthy",
        "freshness": "fresh",
        "presence": "online",
        "delivered": True,
    }
    return {**known, "revision": "b" * 40, "desired_revision": "b" * 40, **fields}


def test_nothing_is_missing_from_a_fresh_synced_and_healthy_application() -> None:
    assert BOTH.missing(item()) == ""


@pytest.mark.parametrize(
    ("fields", "missing"),
    [
        ({"freshness": "stale"}, "no fresh word from its cluster"),
        ({"presence": "offline"}, "no fresh word from its cluster"),
        ({"revision": "a" * 40}, "its cluster has not taken bbbbbbb"),
        ({"delivered": False}, "its cluster has not taken bbbbbbb"),
        ({"sync": "OutOfSync"}, "sync is OutOfSync"),
        ({"health": "Progressing"}, "health is Progressing"),
        ({"deleting": True}, "the application is being deleted"),
    ],
)
def test_what_is_missing_is_said(fields: dict[str, Any], missing: str) -> None:
    assert BOTH.missing(item(**fields)) == missing


def test_only_what_was_asked_for_is_waited_for() -> None:
    assert Goal(healthy=True).missing(item(sync="OutOfSync", revision="a" * 40)) == ""
    assert Goal(synced=True).missing(item(health="Degraded")) == ""


def test_a_sync_has_finished_when_another_operation_than_the_last_one_has() -> None:
    goal = Goal(operation_after=DONE)
    running = {"phase": "Running", "startedAt": "2026-03-14T14:05:00Z"}
    finished = {**DONE, "startedAt": "2026-03-14T14:05:00Z", "phase": "Failed"}
    assert goal.missing(item(document={"operationState": DONE})) == "the sync has not finished"
    assert goal.missing(item(document={"operationState": running})) == "the sync has not finished"
    assert goal.missing(item(document={"operationState": finished})) == ""
