"""What is written is counted, and routine waits once a day's budget is spent."""

import asyncio
import random
from pathlib import Path

import pytest

from edge_agent.journal import Journal
from edge_agent.replica import Bundles, Database, Progress, Writes
from edge_agent.replica.database import MOVE_AFTER_S
from edge_agent.replica.tables import META
from edge_agent.replica.writes import DAY_S, GATHER_S
from outrider import codec, delta

NOON_S = 20_000 * DAY_S + DAY_S / 2


class Clock:
    """The site's clock."""

    def __init__(self) -> None:
        self.now_s = NOON_S

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.parametrize(
    ("written", "later_s", "spent", "due_s"),
    [
        (999, 0, False, 0),
        (1000, 0, True, GATHER_S),
        (1000, 300, True, GATHER_S - 300),
        (1000, GATHER_S + 1, True, 0),
        # Another day, by a clock that goes on or is set.
        (1000, DAY_S, False, 0),
        (1000, -DAY_S, False, 0),
        (1000, -100, True, 0),
    ],
)
def test_routine_is_written_at_once_within_the_budget_and_now_and_then_beyond(
    written: int, later_s: float, spent: bool, due_s: float
) -> None:
    writes = Writes(1000)
    writes.gathered(NOON_S)
    writes.count(written, NOON_S)
    assert writes.is_spent(NOON_S + later_s) is spent
    assert writes.due_in_s(NOON_S + later_s) == pytest.approx(due_s)


def test_what_was_written_today_counts_after_a_restart_and_what_was_yesterday_does_not(
    tmp_path: Path,
) -> None:
    clock = Clock()
    database = Database(tmp_path / "replica", clock=clock)
    Bundles(database).put(random.Random(1).randbytes(100_000))
    database.close()
    first = database.writes.today
    # Twice: to the log, and from there to the file.
    assert 200_000 < first < 400_000
    database = Database(tmp_path / "replica", clock=clock)
    assert first * 0.95 < database.writes.today < first + 100_000
    database.close()
    clock.now_s += DAY_S
    database = Database(tmp_path / "replica", clock=clock)
    assert database.writes.today < 100_000
    database.close()


def test_what_is_counted_is_what_the_log_and_the_file_were_given(tmp_path: Path) -> None:
    database = Database(tmp_path / "replica")
    before, size = database.writes.total, (tmp_path / "replica").stat().st_size
    Bundles(database).put(random.Random(1).randbytes(50 * 4096))
    logged = database.writes.total - before
    assert 50 * 4096 < logged < 60 * 4120
    database.checkpoint()
    grown = (tmp_path / "replica").stat().st_size - size
    assert grown < database.writes.total - before - logged < grown + 20 * 4096
    database.close()


async def test_a_spent_day_gathers_routine_and_writes_at_once_what_must_not_be_lost(tmp_path: Path) -> None:
    clock = Clock()
    database = Database(tmp_path / "replica", writes=Writes(1), clock=clock)
    progress, journal = Progress(database), Journal(database, clock=clock)
    await progress.put("till", {"seen": 0}, (), {"hooks": 0})
    before = database.writes.total
    for n in range(100):
        await progress.put("till", {"seen": n}, (), {"hooks": 0})
        journal.append(n, [("till", "drift", {"n": n})])
    assert database.writes.total == before
    # For who asks, it is as if it were written.
    assert await progress.get("till") == {"seen": 99, "hooks": 0}
    await progress.put("till", {"seen": 100}, (), {"hooks": 1})
    assert before < database.writes.total < before + 10 * 4120
    assert journal.unsent(1 << 20) == []
    clock.now_s += GATHER_S
    assert database.look_after() == pytest.approx(GATHER_S)
    assert [entry.detail["n"] for entry in journal.unsent(1 << 20)] == list(range(100))
    database.close()
    database = Database(tmp_path / "replica", clock=clock)
    assert await Progress(database).get("till") == {"seen": 100, "hooks": 1}
    database.close()


async def test_a_kill_while_writes_are_spared_costs_what_was_gathered_and_nothing_else(
    tmp_path: Path,
) -> None:
    clock = Clock()
    killed = Database(tmp_path / "replica", writes=Writes(1), clock=clock)
    progress = Progress(killed)
    await progress.put("till", {"seen": 0, "under_way": 0}, (), {"hooks": 0, "under_way": 0})
    await progress.put("till", {"seen": 1, "under_way": 1}, (), {"hooks": 1, "under_way": 1})
    database = Database(tmp_path / "replica", clock=clock)
    assert await Progress(database).get("till") == {"seen": 0, "hooks": 1, "under_way": 1}
    database.close()
    killed.close()


def test_a_journal_that_is_gathered_is_bounded_and_what_went_is_counted(tmp_path: Path) -> None:
    clock = Clock()
    database = Database(tmp_path / "replica", writes=Writes(1), clock=clock)
    journal = Journal(database, clock=clock)
    for n in range(1000):
        journal.append(n, [("till", "sync-failed" if n % 10 == 0 else "drift", {"n": n})])
    database.write_gathered()
    gap, *rest = journal.unsent(1 << 20)
    assert (gap.kind, gap.detail["counts"]) == ("gap", {"drift": 500})
    assert [entry.seq for entry in rest] == list(range(501, 1001))
    assert sum(entry.kind == "sync-failed" for entry in rest) == 100
    database.close()


def test_when_a_bundle_was_used_is_written_down_once_a_day(tmp_path: Path) -> None:
    clock = Clock()
    database = Database(tmp_path / "replica", clock=clock)
    data = [codec.canonical([{"n": n, "x": random.Random(n).randbytes(3000)}]) for n in range(3)]
    bundles = Bundles(database, unused_max_bytes=7000, clock=clock)
    for one in data:
        bundles.put(one)
    before = database.writes.total
    for _ in range(50):
        assert bundles.get(delta.digest(data[0])) == data[0]
        database.look_after()
    assert database.writes.total == before
    clock.now_s += DAY_S + 60
    for _ in range(50):
        bundles.get(delta.digest(data[0]))
        database.look_after()
    assert 0 < database.writes.total - before < 5 * 4120
    database.close()
    database = Database(tmp_path / "replica", clock=clock)
    bundles = Bundles(database, unused_max_bytes=7000, clock=clock)
    bundles.evict()
    assert bundles.get(delta.digest(data[0])) == data[0]
    assert bundles.get(delta.digest(data[1])) is None
    database.close()


def test_what_must_not_be_lost_is_soon_in_the_file_once_for_all_that_came(tmp_path: Path) -> None:
    clock, news = Clock(), list[float]()
    database = Database(tmp_path / "replica", now_s=clock)
    database.on_news = lambda: news.append(clock.now_s)
    home = database._home
    database.look_after()
    for _ in range(5):
        with database.transaction(durable=True) as connection:
            META.put(connection, "n", int(clock.now_s))
        assert home.wal.pages
        assert (database.look_after() or 0) > 0
        clock.now_s += MOVE_AFTER_S / 5
    # One look, when the first of them is due.
    assert len(news) == 1
    assert database.look_after() is None
    assert not home.wal.pages
    assert database.look_after() is None
    database.close()


def test_progress_is_gathered_for_each_application_once(tmp_path: Path) -> None:
    database = Database(tmp_path / "replica", writes=Writes(1))
    progress = Progress(database)

    async def put(n: int) -> None:
        await progress.put(f"app-{n % 3}", {"n": n}, (), {"core": 0})

    for n in range(30):
        asyncio.run(put(n))
    before = database.writes.total
    database.write_gathered()
    assert 0 < database.writes.total - before < 6 * 4120
    database.write_gathered()
    assert database.writes.total - before < 6 * 4120
    database.close()
