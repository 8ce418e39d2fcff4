"""A medium that can't be written to, or is not there: the agent runs what it holds, and says so."""

import asyncio
import shutil
from pathlib import Path

import pytest
from tests.unit.edge_replica import first_schema
from tests.unit.edge_replica.stored import APPS, copied, record, store
from tests.unit.edge_replica.stored import bundle as a_bundle

from edge_agent.journal import Journal
from edge_agent.replica import Bundles, Database, Holdings, Progress, ReplicaUnwritable, opened
from outrider.messages import Desired, Generation

from .media import read_only


def accept(database: Database, counter: int) -> None:
    settings = Desired(b"u" * 16, 1, counter, {"n": counter}, "r", b"")
    Holdings(database, Bundles(database)).accept(APPS[0], settings, None, Generation(1, counter))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("ending", ["closed", "killed"])
def test_what_a_read_only_replica_holds_is_run_and_nothing_that_a_restart_would_undo(
    folder: Path, tmp_path: Path, ending: str
) -> None:
    (tmp_path / "first").mkdir()
    with opened(tmp_path / "first" / "replica.sqlite") as database:
        truth = store(database)
        if ending == "killed":
            copied(tmp_path / "first", folder)
    if ending == "closed":
        copied(tmp_path / "first", folder)
    with read_only(folder), opened(folder / "replica.sqlite") as database:
        assert not database.keeps
        assert "Read-only" in database.trouble or "denied" in database.trouble
        assert {one.app: one.record for one in Holdings(database, Bundles(database)).all()} == truth.records
        known = truth.progress[APPS[2]] | truth.cores[APPS[2]]
        assert asyncio.run(Progress(database).get(APPS[2])) == known
        with pytest.raises(ReplicaUnwritable):
            accept(database, 90)
        with pytest.raises(ReplicaUnwritable):
            asyncio.run(Progress(database).put("x", {}))
        journal = Journal(database)
        journal.append(1, [("", "agent-started", {})])
        journal.acknowledge(journal.unsent(1 << 20)[-1].last_seq)
        assert database.losses == []


def test_one_that_becomes_writable_is_written_to_without_a_restart(folder: Path) -> None:
    path = folder / "replica.sqlite"
    with opened(path) as database:
        truth = store(database)
    now_s = 0.0
    with read_only(folder):
        database = Database(path, now_s=lambda: now_s)
        assert not database.keeps
    now_s = 1000.0
    accept(database, 91)
    assert database.keeps
    assert database.trouble == ""
    database.close()
    with opened(path) as database:
        held = Holdings(database, Bundles(database))
        assert held.highest == (1, 91)
        assert {one.app for one in held.all()} == truth.records.keys()


def test_a_folder_that_can_t_be_written_to_and_holds_nothing_is_done_without(folder: Path) -> None:
    now_s = 0.0
    with read_only(folder):
        database = Database(folder / "replica.sqlite", now_s=lambda: now_s)
        accept(database, 5)
        Bundles(database).put(a_bundle(1))
        with pytest.raises(ReplicaUnwritable):
            # A restart would know nothing of it: no hook may rely on it.
            asyncio.run(Progress(database).put("x", {}))
        assert Holdings(database, Bundles(database)).highest == (1, 5)
    now_s = 1000.0
    database.look_after()
    assert database.keeps
    database.close()
    with opened(folder / "replica.sqlite") as database:
        assert Holdings(database, Bundles(database)).highest == (1, 5)


def test_a_replica_of_an_earlier_agent_that_can_t_be_written_to_is_read_as_it_is(folder: Path) -> None:
    first_schema.make(folder / "replica.sqlite", APPS[0], record(0, 7), a_bundle(0), a_bundle(8))
    with read_only(folder), opened(folder / "replica.sqlite") as database:
        assert not database.keeps
        assert [one.record for one in Holdings(database, Bundles(database)).all()] == [record(0, 7)]
        assert Journal(database).epoch == 1600


def test_a_damaged_one_that_can_t_be_set_aside_is_done_without(folder: Path) -> None:
    path = folder / "replica.sqlite"
    with opened(path) as database:
        truth = store(database)
    data = bytearray(path.read_bytes())
    data[-4096:] = bytes(4096)
    path.write_bytes(bytes(data))
    with read_only(folder), opened(path) as database:
        assert not database.keeps
        held = Holdings(database, Bundles(database))
        assert {one.app for one in held.all()} == truth.records.keys()


def test_a_file_that_is_taken_away_while_the_agent_runs_is_written_again(folder: Path) -> None:
    path = folder / "replica.sqlite"
    with opened(path) as database:
        truth = store(database)
        shutil.rmtree(folder)
        folder.mkdir()
        accept(database, 70)
        assert path.stat().st_size > 0
    with opened(path) as database:
        held = {one.app: one.record for one in Holdings(database, Bundles(database)).all()}
        assert held.keys() == truth.records.keys()
        assert held[APPS[0]].counter == 70
