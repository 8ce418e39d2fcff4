"""A disk filled to the last byte: what is held goes on, what nobody needs makes room, and all goes on by itself once there is some."""

import asyncio
import random
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.edge_replica.stored import APPS, Truth, store

from edge_agent.journal import Journal
from edge_agent.replica import Bundles, Database, Holdings, Progress, ReplicaUnwritable, opened
from outrider import codec, delta
from outrider.messages import Desired, Generation

from .media import LimitedFiles, Medium, small_disk


@pytest.fixture(params=["small disk", "limited files"])
def medium(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Medium]:
    """A medium with some hundred KB."""
    if request.param == "small disk":
        with small_disk(tmp_path / "disk", "400k") as found:
            yield found
    else:
        limited = LimitedFiles(tmp_path)
        yield limited
        limited.free()


def noise(number: int, size: int = 7000) -> bytes:
    return codec.canonical([random.Random(number).randbytes(size)])


def release(counter: int, data: bytes) -> Desired:
    return Desired(b"u" * 16, 1, counter, {}, "r", delta.digest(data))


def untouched(database: Database, truth: Truth) -> None:
    """All is there that was stored, with its bundles."""
    bundles = Bundles(database)
    holdings = Holdings(database, bundles)
    assert {one.app: one.record for one in holdings.all()} == truth.records
    for one in holdings.all():
        assert not one.record.digest or bundles.get(one.record.digest) is not None
    assert database.losses == []


def test_what_is_held_stays_and_everything_goes_on_once_there_is_room(medium: Medium) -> None:
    path = medium.folder / "replica.sqlite"
    with opened(path) as database:
        truth = store(database)
        holdings, journal = Holdings(database, Bundles(database)), Journal(database)
        medium.fill()
        large = noise(1, 300_000)
        with pytest.raises(ReplicaUnwritable):
            holdings.accept(APPS[0], release(50, large), large, Generation(1, 50))
        journal.append(2000, [("", "outage-began", {})])
        untouched(database, truth)
        assert database.trouble
        medium.free()
        holdings.accept(APPS[0], release(51, noise(2)), noise(2), Generation(1, 51))
        journal.append(3000, [("", "outage-ended", {})])
        assert journal.unsent(1 << 20)[-1].kind == "outage-ended"
    with opened(path) as database:
        assert Holdings(database, Bundles(database)).highest == (1, 51)


def test_an_agent_starts_on_a_full_disk_with_all_that_it_holds(medium: Medium) -> None:
    path = medium.folder / "replica.sqlite"
    with opened(path) as database:
        truth = store(database)
    medium.fill()
    for _ in range(3):
        with opened(path) as database:
            Journal(database).append(1, [("", "agent-started", {})])
            untouched(database, truth)
            progress = Progress(database)
            assert asyncio.run(progress.get(APPS[1])) == truth.progress[APPS[1]] | truth.cores[APPS[1]]
            database.look_after()
    medium.free()
    with opened(path) as database:
        untouched(database, truth)
        Holdings(database, Bundles(database)).accept(
            APPS[0], release(60, noise(3)), noise(3), Generation(1, 60)
        )


def test_bundles_that_come_in_make_room_by_those_that_nothing_needs(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "400k") as disk:
        path = disk.folder / "replica.sqlite"
        with opened(path) as database:
            store(database)
            bundles = Bundles(database)
            holdings = Holdings(database, bundles)
            for number in range(10):
                bundles.put(noise(1000 + number))
            database.checkpoint()
            disk.fill()
            for counter in range(20, 60):
                data = noise(counter)
                holdings.accept(APPS[0], release(counter, data), data, Generation(1, counter))
                assert bundles.get(delta.digest(data)) == data
            assert {one.app for one in holdings.all()} >= set(APPS)
            for one in holdings.all():
                assert not one.record.digest or bundles.get(one.record.digest) is not None


def test_a_log_never_takes_the_room_that_the_file_needs(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "300k") as disk, opened(disk.folder / "replica.sqlite") as database:
        bundles = Bundles(database)
        used: list[str] = []
        bundles.in_use = lambda: used

        def put(number: int) -> None:
            used.append(delta.short(delta.digest(noise(number))).hex())
            bundles.put(noise(number))

        with pytest.raises(ReplicaUnwritable):
            deque(map(put, range(100)), maxlen=0)
        assert len(used) > 5
        # What was accepted is in the file, and the log can be begun anew: nothing is stuck.
        used.clear()
        bundles.put(noise(200))
        assert bundles.get(delta.digest(noise(200))) == noise(200)
