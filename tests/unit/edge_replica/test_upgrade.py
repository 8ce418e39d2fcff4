"""Replicas of earlier and of later agents."""

import asyncio
import os
import sqlite3
from pathlib import Path

import pytest

from edge_agent.journal import Entry, Journal
from edge_agent.replica import Bundles, Database, Holdings, Progress, opened
from outrider import delta

from . import first_schema
from .stored import APPS, bundle, record

EARLIER = bundle(8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "replica.sqlite"
    first_schema.make(path, APPS[0], record(0, 7), bundle(0), EARLIER)
    return path


def read(database: Database) -> None:
    """Everything is there that the earlier agent wrote."""
    bundles = Bundles(database, unused_max_bytes=0)
    holdings, journal = Holdings(database, bundles), Journal(database)
    assert [one.record for one in holdings.all()] == [record(0, 7)]
    assert (holdings.complete, holdings.highest) == ((1, 7), (1, 7))
    assert (journal.epoch, journal.sent) == (1600, 1)
    assert journal.unsent(1 << 20) == [Entry(2, 20, APPS[0], "drift", {})]
    progress = asyncio.run(Progress(database).get(APPS[0]))
    assert progress == {"v": 1, "attempt": ["i", "Succeeded", 0]}
    assert bundles.get(delta.digest(bundle(0))) == bundle(0)
    assert database.losses == []


def test_a_replica_of_an_earlier_agent_is_read_and_brought_to_the_present_form(path: Path) -> None:
    with opened(path) as database:
        read(database)
        bundles = Bundles(database, unused_max_bytes=0)
        bundles.evict()
        assert bundles.get(delta.digest(EARLIER)) == EARLIER
    with opened(path) as database:
        read(database)
        (version,) = database.read(lambda connection: connection.execute("PRAGMA user_version").fetchone())
        assert version == 2


def test_one_that_can_t_be_written_to_is_read_as_it_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "open", refusing(path))
    with opened(path) as database:
        assert not database.keeps
        read(database)


def refusing(path: Path) -> object:
    """Return what opens files on a medium that is read-only; a real one takes a mount: `tests/integration/edge_replica`."""
    really = os.open

    def open_file(name: object, flags: int, mode: int = 0o777) -> int:
        if flags & (os.O_RDWR | os.O_CREAT) and str(name).startswith(str(path.parent)):
            raise OSError(30, "Read-only file system", str(name))
        return really(name, flags, mode)  # type: ignore[arg-type]

    return open_file


def test_a_replica_of_a_later_agent_is_set_aside_and_the_condition_says_why(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with opened(path) as database:
        (loss,) = database.losses
        assert (loss.what, loss.why) == ("file", "its schema is version 99, this agent knows 2")
        assert Holdings(database, Bundles(database)).all() == []
