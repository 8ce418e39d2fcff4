"""Bundles that histories name stay in the replica."""

import random
from pathlib import Path

import pytest

from edge_agent.replica import Bundles, Database, Progress, ReplicaUnwritable, opened
from outrider import codec, delta


def bundle(number: int) -> bytes:
    """Some 48 KiB that can't be compressed much."""
    return codec.canonical(
        [{"kind": "ConfigMap", "data": {"noise": random.Random(number).randbytes(48 << 10)}}]
    )


def short(number: int) -> bytes:
    return delta.short(delta.digest(bundle(number)))


def filled(database: Database, count: int, unused_max_bytes: int = 32 << 20) -> Bundles:
    bundles = Bundles(database, unused_max_bytes=unused_max_bytes)
    for number in range(count):
        bundles.put(bundle(number))
    return bundles


def held(bundles: Bundles, count: int) -> list[int]:
    return [number for number in range(count) if short(number) in bundles.held()]


async def test_a_bundle_that_a_history_names_outlives_any_number_of_others(tmp_path: Path) -> None:
    with opened(tmp_path / "replica.sqlite") as database:
        bundles = filled(database, 8, unused_max_bytes=200 << 10)
        await Progress(database).put("till", {"v": 1}, [short(0).hex(), short(1).hex()])
        bundles.evict()
        assert held(bundles, 8) == [0, 1, 4, 5, 6, 7]
    with opened(tmp_path / "replica.sqlite") as database:
        bundles = Bundles(database, unused_max_bytes=200 << 10)
        bundles.evict()
        assert bundles.manifests(short(0)) == manifests(0)
        await Progress(database).put("till", {"v": 1}, [short(1).hex()])
        bundles.evict()
        # The one that was looked at is the one used last.
        assert held(bundles, 8) == [0, 1, 5, 6, 7]
        await Progress(database).delete("till")
        bundles.evict()
        assert held(bundles, 8) == [0, 5, 6, 7]


def manifests(number: int) -> list[dict[str, object]]:
    noise = random.Random(number).randbytes(48 << 10)
    return [{"kind": "ConfigMap", "data": {"noise": noise}}]


async def test_what_two_applications_keep_stays_until_both_let_go(tmp_path: Path) -> None:
    with opened(tmp_path / "replica.sqlite") as database:
        bundles, progress = filled(database, 1, unused_max_bytes=0), Progress(database)
        for app in ("till", "menu"):
            await progress.put(app, {}, [short(0).hex()])
        await progress.delete("till")
        bundles.evict()
        assert held(bundles, 1) == [0]
        await progress.delete("menu")
        bundles.evict()
        assert held(bundles, 1) == []


async def test_no_bound_and_no_full_disk_takes_a_bundle_that_a_history_names(tmp_path: Path) -> None:
    with opened(tmp_path / "replica.sqlite") as database:
        bundles = filled(database, 8, unused_max_bytes=0)
        await Progress(database).put("till", {}, [short(number).hex() for number in range(6)])
        bundles.evict()
        assert held(bundles, 8) == list(range(6))
        full(database)
        with pytest.raises(ReplicaUnwritable):
            bundles.put(random.Random(1).randbytes(1 << 20))
        assert held(bundles, 6) == list(range(6))


def full(database: Database) -> None:
    with database.transaction() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")


async def test_progress_and_the_bundles_it_needs_are_written_together_or_not_at_all(tmp_path: Path) -> None:
    with opened(tmp_path / "replica.sqlite") as database:
        progress = Progress(database)
        await progress.put("till", {"v": 1}, [short(0).hex()])
        full(database)
        with pytest.raises(ReplicaUnwritable):
            await progress.put("till", {"large": random.Random(1).randbytes(1 << 20)}, [short(1).hex()])
        assert await progress.get("till") == {"v": 1}
        bundles = Bundles(database)
        assert bundles.is_needed(short(0))
        assert not bundles.is_needed(short(1))
