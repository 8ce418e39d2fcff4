from typing import Any

import pytest

from edge_agent.journal import observed


def document(**changes: Any) -> dict[str, Any]:
    return {
        "sync": {"status": "Synced", "revision": "r1"},
        "health": {"status": "Healthy"},
        "conditions": [],
        "resources": [],
        **changes,
    }


OFF = [{"kind": "ConfigMap", "namespace": "shop", "name": "till", "status": "OutOfSync"}]
ENDED = {
    "phase": "Succeeded",
    "startedAt": "10:00",
    "finishedAt": "10:01",
    "syncResult": {"revision": "r2", "resources": [{"status": "Synced"}]},
    "operation": {"initiatedBy": {"username": "ada"}},
}
FAILED = {
    **ENDED,
    "phase": "Failed",
    "message": "Deployment till: refused",
    "syncResult": {"revision": "r2", "resources": [{"status": "SyncFailed"}, {"status": "SyncSkipped"}]},
}


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        (document(), document(), []),
        (None, document(), []),
        (None, document(operationState=ENDED), ["sync-succeeded"]),
        (document(), None, ["removed"]),
        (document(), document(sync={"status": "OutOfSync", "revision": "r1"}, resources=OFF), ["drift"]),
        (document(), document(sync={"status": "OutOfSync", "revision": "r2"}, resources=OFF), []),
        (document(sync={"status": "OutOfSync", "revision": "r1"}), document(), ["in-sync"]),
        (document(), document(operationState={"phase": "Running", "startedAt": "10:00"}), ["sync-started"]),
        (
            document(operationState={"phase": "Running", "startedAt": "10:00", "message": "wave 1"}),
            document(operationState={"phase": "Running", "startedAt": "10:00", "message": "wave 2"}),
            [],
        ),
        (document(), document(operationState=ENDED), ["sync-succeeded"]),
        (document(operationState=ENDED), document(operationState=ENDED), []),
        (
            document(operationState=ENDED),
            document(operationState={**FAILED, "startedAt": "11:00"}),
            ["sync-failed"],
        ),
        (document(), document(health={"status": "Degraded", "message": "x"}), ["health"]),
        (document(), document(conditions=[{"type": "SyncError", "message": "no"}]), ["condition"]),
        (
            document(conditions=[{"type": "SyncError", "message": "no"}]),
            document(conditions=[{"type": "SyncError", "message": "still no"}]),
            [],
        ),
        (document(conditions=[{"type": "SyncError", "message": "no"}]), document(), ["condition"]),
    ],
)
def test_the_journal_tells_what_changed_and_nothing_else(
    before: dict[str, Any] | None, after: dict[str, Any] | None, kinds: list[str]
) -> None:
    assert [kind for kind, _ in observed(before, after)] == kinds


def test_a_failed_sync_says_why_who_and_of_what() -> None:
    ((kind, detail),) = observed(document(), document(operationState=FAILED))
    assert kind == "sync-failed"
    assert detail["message"] == "Deployment till: refused"
    assert (detail["revision"], detail["by"], detail["resources"], detail["failed"]) == ("r2", "ada", 2, 1)


def test_a_long_sentence_is_cut() -> None:
    ((_, detail),) = observed(document(), document(health={"status": "Degraded", "message": "x" * 5000}))
    assert len(detail["message"]) == 300
