"""Whatever becomes of the file's bytes: nothing wrong is believed, nothing fails, and the next start is a good one."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.replica import Bundles, Holdings, opened

from .stored import APPS, ENTRIES, Truth, copied, examine, flip, store

MEMORY = Path("/dev/shm")  # noqa: S108 a disk would be asked to sync a hundred times


@dataclass
class Stored:
    """A replica that was closed, the same one as a kill would leave it, and what is in them."""

    closed: Path
    killed: Path
    truth: Truth


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    folder = tmp_path_factory.mktemp("replica")
    (folder / "closed").mkdir()
    with opened(folder / "closed" / "replica.sqlite") as database:
        truth = store(database)
        copied(folder / "closed", folder / "killed")
    return Stored(folder / "closed", folder / "killed", truth)


def examined(folder: Path, truth: Truth, damage: "Damage") -> list[str]:
    """Damage a copy, read all of it, and return what it says is lost; the start after that finds nothing amiss."""
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as place:
        path = copied(folder, Path(place))
        damage(path)
        lost: list[str] = [loss.what for loss in examine(path, truth)]
        with opened(path) as database:
            Holdings(database, Bundles(database))
            assert database.losses == []
        return lost


class Damage:
    """What happens to a file."""

    def __call__(self, path: Path) -> None:
        raise NotImplementedError


@dataclass
class Flip(Damage):
    where: float
    log: bool = False

    def __call__(self, path: Path) -> None:
        file = path.with_name(f"{path.name}-wal") if self.log else path
        flip(file, int(self.where * file.stat().st_size * 8))


@dataclass
class Flips(Damage):
    where: list[float]

    def __call__(self, path: Path) -> None:
        for one in self.where:
            Flip(one)(path)


@dataclass
class Cut(Damage):
    where: float
    log: bool = False

    def __call__(self, path: Path) -> None:
        file = path.with_name(f"{path.name}-wal") if self.log else path
        data = file.read_bytes()
        file.write_bytes(data[: int(self.where * len(data))])


@dataclass
class Sector(Damage):
    """A block of flash that reads as something else."""

    where: float
    content: bytes

    def __call__(self, path: Path) -> None:
        data = bytearray(path.read_bytes())
        at = int(self.where * len(data)) // 512 * 512
        data[at : at + 512] = (self.content * 512)[:512]
        path.write_bytes(bytes(data))


part = st.floats(0, 1, exclude_max=True)


@settings(max_examples=150, deadline=None)
@given(st.builds(Flip, part))
def test_a_bit_that_flips_anywhere_in_the_file_is_never_believed(stored: Stored, damage: Damage) -> None:
    lost = examined(stored.closed, stored.truth, damage)
    # One bit costs no site what it should run: records are there twice, or the damage is in the structure.
    assert lost.count("record") <= lost.count("file")


@settings(max_examples=60, deadline=None)
@given(st.builds(Flip, part, st.just(True)))
def test_a_bit_that_flips_in_the_log_is_never_believed(stored: Stored, damage: Damage) -> None:
    assert set(examined(stored.killed, stored.truth, damage)) <= {"newest"}


@settings(max_examples=60, deadline=None)
@given(st.builds(Flips, st.lists(part, min_size=2, max_size=40)))
def test_many_bits_that_flip_are_never_believed(stored: Stored, damage: Damage) -> None:
    examined(stored.closed, stored.truth, damage)


@settings(max_examples=60, deadline=None)
@given(st.builds(Cut, part) | st.builds(Sector, part, st.sampled_from([b"\0", b"\xff", b"SQLite "])))
def test_a_file_that_is_cut_short_or_overwritten_is_never_believed(stored: Stored, damage: Damage) -> None:
    examined(stored.closed, stored.truth, damage)


@settings(max_examples=40, deadline=None)
@given(st.builds(Cut, part, st.just(True)))
def test_a_log_that_is_cut_short_takes_no_more_than_what_was_written_last(
    stored: Stored, damage: Damage
) -> None:
    examined(stored.killed, stored.truth, damage)


@pytest.mark.parametrize("content", [b"", b"not a database, just text"])
def test_a_file_that_is_empty_or_another_one_is_set_aside(
    stored: Stored, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "replica.sqlite"
    path.write_bytes(content)
    assert examine(path, stored.truth)[0].what == "file"
    assert len(list(tmp_path.glob("replica.sqlite.damaged-*"))) == 1


def test_a_file_that_is_gone_while_its_log_is_there_is_missed(stored: Stored, tmp_path: Path) -> None:
    path = copied(stored.killed, tmp_path)
    path.unlink()
    assert [loss.what for loss in examine(path, stored.truth)] == ["file"]


def test_a_link_in_the_place_of_the_file_is_not_followed(stored: Stored, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    elsewhere = copied(stored.closed, tmp_path / "there")
    before = elsewhere.read_bytes()
    path = tmp_path / "replica.sqlite"
    path.symlink_to(elsewhere)
    examine(path, stored.truth)
    assert elsewhere.read_bytes() == before
    assert not path.is_symlink()


def test_restarts_on_a_medium_that_damages_every_file_leave_two_copies_at_most(
    stored: Stored, tmp_path: Path
) -> None:
    path = copied(stored.closed, tmp_path)
    for _ in range(6):
        data = bytearray(path.read_bytes())
        data[100:600] = bytes(500)
        path.write_bytes(bytes(data))
        with opened(path) as database:
            assert "file" in [loss.what for loss in database.losses]
    copies = {file.name.removesuffix("-wal") for file in tmp_path.glob("replica.sqlite.damaged-*")}
    assert len(copies) == 2


def test_what_still_holds_in_a_damaged_file_is_taken_over(stored: Stored, tmp_path: Path) -> None:
    path = copied(stored.closed, tmp_path)
    with opened(path) as database:
        (last,) = database.read(lambda connection: connection.execute("PRAGMA page_count").fetchone())
    data = bytearray(path.read_bytes())
    # The last page is the journal's or a bundle's: nothing that is desired.
    data[(last - 1) * 4096 :] = bytes(4096)
    path.write_bytes(bytes(data))
    with opened(path) as database:
        assert "file" in [loss.what for loss in database.losses]
        holdings = Holdings(database, Bundles(database))
        assert {one.app for one in holdings.all()} == stored.truth.records.keys()
        assert holdings.complete == (0, 0)
        assert holdings.highest == (1, stored.truth.counter)
    assert ENTRIES


@pytest.mark.parametrize("bit", [*range(0, 800, 7), *range(800, 4096 * 8, 499)])
def test_a_bit_that_flips_in_the_first_page_costs_nothing(stored: Stored, tmp_path: Path, bit: int) -> None:
    path = copied(stored.closed, tmp_path)
    flip(path, bit)
    examine(path, stored.truth)
    with opened(path) as database:
        held = Holdings(database, Bundles(database)).all()
        assert {one.app for one in held} - {APPS[0]} == stored.truth.records.keys() - {APPS[0]}
