import random
import sqlite3
from pathlib import Path

import pytest

from edge_agent.replica import Bundles, Holdings, Progress, ReplicaUnwritable, opened
from outrider import codec, delta
from outrider.messages import Desired, Generation
from outrider.names import AppName

SHOP = AppName("shop")
BUNDLE = codec.canonical([{"kind": "ConfigMap", "metadata": {"name": "a"}}])


def record(counter: int, digest: bytes | None = delta.digest(BUNDLE)) -> Desired:
    return Desired(
        b"u" * 16, 1, counter, {"destination": {"namespace": "shop"}}, b"r" * 20, digest, b"b" * 8, b"patch"
    )


def test_what_was_accepted_is_there_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "replica.sqlite"
    with opened(file) as database:
        Holdings(database, Bundles(database)).accept(SHOP, record(3), BUNDLE, Generation(1, 3))
    with opened(file) as database:
        bundles = Bundles(database)
        holdings = Holdings(database, bundles)
        (held,) = holdings.all()
        assert (held.app, held.generation) == (SHOP, (1, 3))
        assert held.record.patch is None
        assert (holdings.complete, holdings.highest) == ((1, 3), (1, 3))
        assert bundles.manifests(delta.digest(BUNDLE)) == [{"kind": "ConfigMap", "metadata": {"name": "a"}}]
        assert bundles.by_short(delta.short(delta.digest(BUNDLE))) == BUNDLE
    assert file.stat().st_mode & 0o077 == 0


def test_a_record_without_room_for_its_bundle_leaves_nothing_behind(tmp_path: Path) -> None:
    with opened(tmp_path / "replica.sqlite") as database:
        holdings = Holdings(database, Bundles(database))
        holdings.accept(SHOP, record(1), BUNDLE, Generation(1, 1))
        with database.transaction() as connection:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages}")
        large = random.Random(1).randbytes(1 << 20)
        with pytest.raises(ReplicaUnwritable, match="full"):
            holdings.accept(SHOP, record(2, delta.digest(large)), large, Generation(1, 2))
        assert holdings.complete == (1, 1)
        assert [held.generation for held in holdings.all()] == [(1, 1)]


@pytest.mark.parametrize("damage", [b"not a database at all, just text that is long enough to be read", b""])
def test_a_damaged_replica_is_set_aside_and_asked_for_again(tmp_path: Path, damage: bytes) -> None:
    file = tmp_path / "replica.sqlite"
    with opened(file) as database:
        Holdings(database, Bundles(database)).accept(SHOP, record(3), BUNDLE, Generation(1, 3))
    data = bytearray(file.read_bytes())
    data[100:4000] = (damage or b"\xff") * (3900 // len(damage or b"\xff"))
    file.write_bytes(bytes(data))
    with opened(file) as database:
        assert [loss.what for loss in database.losses] == ["file"]
        holdings = Holdings(database, Bundles(database))
        assert holdings.complete == (0, 0)
        assert [one.record.counter for one in holdings.all()] in ([], [3])
    assert list(tmp_path.glob("replica.sqlite.damaged-*"))


def test_a_file_of_a_later_schema_is_set_aside_and_not_guessed_at(tmp_path: Path) -> None:
    file = tmp_path / "replica.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with opened(file) as database:
        assert [loss.what for loss in database.losses] == ["file"]


def test_a_tombstone_is_forgotten_only_if_nothing_newer_came(tmp_path: Path) -> None:
    with opened(tmp_path / "replica.sqlite") as database:
        holdings = Holdings(database, Bundles(database))
        holdings.accept(SHOP, record(1, None), None, Generation(1, 1))
        holdings.accept(SHOP, record(2), BUNDLE, Generation(1, 2))
        holdings.forget(SHOP, Generation(1, 1))
        assert holdings.generations() == {SHOP: (1, 2)}
        holdings.forget(SHOP, Generation(1, 2))
        assert holdings.generations() == {}
        assert holdings.highest == (1, 2)


def test_a_tombstone_that_was_carried_out_is_known_by_the_next_process_and_counts_as_gone(
    tmp_path: Path,
) -> None:
    with opened(tmp_path / "replica.sqlite") as database:
        holdings = Holdings(database, Bundles(database))
        nothing = holdings.digest()
        holdings.accept(SHOP, record(1, None), None, Generation(1, 1))
        assert holdings.digest() != nothing
        holdings.end(SHOP, Generation(1, 1))
    with opened(tmp_path / "replica.sqlite") as database:
        holdings = Holdings(database, Bundles(database))
        assert not database.losses
        assert [held.is_ended for held in holdings.all()] == [True]
        assert holdings.digest() == nothing


def test_a_record_that_came_after_a_tombstone_is_not_ended_with_it(tmp_path: Path) -> None:
    with opened(tmp_path / "replica.sqlite") as database:
        holdings = Holdings(database, Bundles(database))
        for counter in (1, 2):
            holdings.accept(SHOP, record(counter, None), None, Generation(1, counter))
        holdings.end(SHOP, Generation(1, 1))
        assert [held.is_ended for held in holdings.all()] == [False]


def test_unused_bundles_are_dropped_oldest_first_and_used_ones_never(tmp_path: Path) -> None:
    with opened(tmp_path / "replica.sqlite") as database:
        bundles = Bundles(database, unused_max_bytes=2500)
        holdings = Holdings(database, bundles)
        blobs = [codec.canonical([delta.digest(b"%d.%d" % (n, m)) for m in range(30)]) for n in range(6)]
        for n, blob in enumerate(blobs, start=1):
            holdings.accept(SHOP, record(n, delta.digest(blob)), blob, Generation(1, n))
        assert [bundles.get(delta.digest(blob)) is not None for blob in blobs] == [
            False,
            False,
            False,
            True,
            True,
            True,
        ]


async def test_progress_survives_and_can_be_dropped(tmp_path: Path) -> None:
    with opened(tmp_path / "replica.sqlite") as database:
        progress = Progress(database)
        assert await progress.get("shop") is None
        await progress.put("shop", {"phase": "Running", "n": 1})
        assert await progress.get("shop") == {"phase": "Running", "n": 1}
        await progress.delete("shop")
        assert await progress.get("shop") is None
