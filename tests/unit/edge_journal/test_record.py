from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_agent.journal import Journal, Recorder
from edge_agent.replica import Database, opened

NOW_S = 1_700_000_000.0
ENDED = {
    "phase": "Succeeded",
    "startedAt": "2023-11-14T22:13:00Z",
    "finishedAt": "2023-11-14T22:13:10Z",
    "syncResult": {"revision": "r1", "resources": []},
}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with opened(tmp_path / "replica") as database:
        yield database


def recorder(database: Database) -> Recorder:
    return Recorder(Journal(database), lambda: NOW_S, lambda: None)


def document(health: str = "Healthy", **more: Any) -> dict[str, Any]:
    return {"sync": {"status": "Synced", "revision": "r1"}, "health": {"status": health}, **more}


def kinds(database: Database) -> list[str]:
    return [entry.kind for entry in Journal(database).last(100)]


def test_a_sync_is_told_once_across_restarts(database: Database) -> None:
    recorder(database).document("shop", document(operationState=ENDED))
    recorder(database).document("shop", document(operationState=ENDED))
    assert kinds(database) == ["sync-succeeded"]


def test_a_sync_that_ended_just_before_a_crash_is_told_after_it(database: Database) -> None:
    first = recorder(database)
    first.document("shop", document(operationState={"phase": "Running", "startedAt": ENDED["startedAt"]}))
    recorder(database).document("shop", document(operationState=ENDED))
    assert kinds(database) == ["sync-succeeded"]


def test_a_sync_whose_entry_was_thinned_is_not_told_again(database: Database) -> None:
    journal = Journal(database, max_bytes=800)
    record = Recorder(journal, lambda: NOW_S, lambda: None)
    record.document("shop", document(operationState=ENDED))
    for n in range(30):
        record.document("shop", document("Degraded" if n % 2 else "Healthy", operationState=ENDED))
    assert "sync-succeeded" not in kinds(database)
    recorder(database).document("shop", document(operationState=ENDED))
    assert "sync-succeeded" not in kinds(database)


def test_an_outage_is_told_once_at_both_ends(database: Database) -> None:
    record = recorder(database)
    record.connected()
    record.disconnected()
    record.disconnected()
    record.connected()
    record.connected()
    assert kinds(database) == ["outage-began", "outage-ended"]


def test_an_application_that_goes_is_told(database: Database) -> None:
    record = recorder(database)
    record.document("shop", document())
    record.removed("shop")
    record.removed("shop")
    assert kinds(database) == ["removed"]
