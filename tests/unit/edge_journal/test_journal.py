from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.journal import Entry, Journal
from edge_agent.journal.thin import markers
from edge_agent.replica import Database, opened

KINDS = ["drift", "in-sync", "sync-failed", "sync-succeeded", "condition"]


def told(entries: list[Entry]) -> dict[int, str]:
    """Return for every sequence number whether it is there or in a gap; each at most once."""
    found: dict[int, str] = {}
    for entry in entries:
        for seq in range(entry.seq, entry.last_seq + 1):
            assert seq not in found, f"{seq} is told twice"
            found[seq] = "gap" if entry.kind == "gap" else "there"
    return found


def everything(journal: Journal) -> list[Entry]:
    return journal.unsent(1 << 30)


def test_entries_come_back_in_their_order_after_a_restart(tmp_path: Path) -> None:
    with opened(tmp_path / "replica") as database:
        journal = Journal(database)
        journal.append(1000, [("shop", "drift", {"count": 1}), ("shop", "in-sync", {})])
        journal.append(2000, [("", "outage-began", {})])
    with opened(tmp_path / "replica") as database:
        journal = Journal(database)
        assert everything(journal) == [
            Entry(1, 1000, "shop", "drift", {"count": 1}),
            Entry(2, 1000, "shop", "in-sync", {}),
            Entry(3, 2000, "", "outage-began", {}),
        ]
        journal.append(3000, [("", "outage-ended", {})])
        assert everything(journal)[-1].seq == 4


def test_what_the_hub_has_is_not_sent_again_but_stays_for_a_look_on_the_site(tmp_path: Path) -> None:
    with opened(tmp_path / "replica") as database:
        journal = Journal(database)
        journal.append(1, [("shop", "drift", {}), ("shop", "in-sync", {})])
        journal.acknowledge(1)
        assert [entry.seq for entry in everything(journal)] == [2]
        assert not journal.is_sent
        journal.acknowledge(2)
        assert journal.is_sent
        assert [entry.seq for entry in journal.last(10)] == [1, 2]


def test_a_batch_has_at_least_one_entry_and_is_bounded(tmp_path: Path) -> None:
    with opened(tmp_path / "replica") as database:
        journal = Journal(database)
        for n in range(10):
            journal.append(n, [("shop", "condition", {"message": "x" * 300})])
        assert len(journal.unsent(1)) == 1
        assert 2 <= len(journal.unsent(1500)) < 10


def test_the_oldest_routine_entries_make_room_first_and_are_counted_in_gaps(tmp_path: Path) -> None:
    with opened(tmp_path / "replica") as database:
        journal = Journal(database, max_bytes=4000)
        for n in range(200):
            journal.append(n, [("shop", "sync-failed" if n % 20 == 0 else "drift", {"n": n})])
            assert journal.size_bytes <= 4000
        entries = everything(journal)
        assert told(entries).keys() == set(range(1, 201))
        assert [entry.detail["n"] for entry in entries if entry.kind == "sync-failed"] == list(
            range(0, 200, 20)
        )
        thinned = sum(entry.detail["counts"]["drift"] for entry in entries if entry.kind == "gap")
        assert thinned + sum(entry.kind == "drift" for entry in entries) == 190


def test_what_the_hub_has_makes_room_before_anything_it_lacks(tmp_path: Path) -> None:
    with opened(tmp_path / "replica") as database:
        journal = Journal(database, max_bytes=4000)
        for n in range(30):
            journal.append(n, [("shop", "drift", {"n": n})])
        journal.acknowledge(30)
        for n in range(30, 60):
            journal.append(n, [("shop", "drift", {"n": n})])
        entries = everything(journal)
        assert [entry.kind for entry in entries] == ["drift"] * 30
        assert journal.size_bytes <= 4000


def test_entries_that_a_full_disk_refused_stand_as_a_gap_once_there_is_room(tmp_path: Path) -> None:
    with opened(tmp_path / "replica") as database:
        journal = Journal(database)
        journal.append(1, [("shop", "drift", {})])
        full(database, True)
        journal.append(2, [("shop", "sync-failed", {"message": "x" * 20_000}), ("shop", "drift", {})])
        journal.append(3, [("shop", "sync-failed", {"message": "x" * 20_000})])
        full(database, False)
        journal.append(4, [("shop", "in-sync", {})])
        first, gap, last = everything(journal)
        assert (first.seq, gap.seq, gap.last_seq, last.seq) == (1, 2, 4, 5)
        assert gap.detail["counts"] == {"sync-failed": 2, "drift": 1}


def full(database: Database, is_full: bool) -> None:
    with database.transaction() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages if is_full else 1 << 30}")


def test_a_gap_made_while_its_entries_were_on_their_way_is_sent_too(tmp_path: Path) -> None:
    with opened(tmp_path / "replica") as database:
        journal = Journal(database, max_bytes=2000)
        for n in range(20):
            journal.append(n, [("shop", "drift", {"n": n})])
        sending = journal.unsent(600)
        for n in range(20, 60):
            journal.append(n, [("shop", "drift", {"n": n})])
        journal.acknowledge(sending[-1].last_seq)
        seqs = {seq for entry in everything(journal) for seq in range(entry.seq, entry.last_seq + 1)}
        assert set(range(sending[-1].last_seq + 1, 61)) <= seqs


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 120)), min_size=1, max_size=120),
    st.integers(500, 6000),
)
def test_every_entry_is_either_there_or_in_exactly_one_gap(
    happened: list[tuple[str, int]], bound: int
) -> None:
    with TemporaryDirectory() as folder, opened(Path(folder) / "replica") as database:
        journal = Journal(database, max_bytes=bound)
        for n, (kind, size) in enumerate(happened):
            journal.append(n, [("shop", kind, {"x": "y" * size})])
        entries = everything(journal)
    assert told(entries).keys() == set(range(1, len(happened) + 1))
    counted: dict[str, int] = {}
    for entry in entries:
        for kind, count in (entry.detail["counts"] if entry.kind == "gap" else {entry.kind: 1}).items():
            counted[kind] = counted.get(kind, 0) + count
    assert counted == {kind: sum(one == kind for one, _ in happened) for kind, _ in happened}


@pytest.mark.parametrize(
    ("going", "gaps", "expected"),
    [
        ([1, 2, 4], [], [(1, 2), (4, 4)]),
        ([3], [(1, 2)], [(1, 3)]),
        ([3], [(1, 2), (4, 9)], [(1, 9)]),
        ([], [(1, 2), (5, 6)], [(1, 2), (5, 6)]),
    ],
)
def test_gaps_that_touch_become_one(
    going: list[int], gaps: list[tuple[int, int]], expected: list[tuple[int, int]]
) -> None:
    old = [
        Entry(first, 0, "", "gap", {"to": last, "until_ms": last, "counts": {"drift": last - first + 1}})
        for first, last in gaps
    ]
    made = markers([Entry(seq, seq, "shop", "drift") for seq in going], old)
    assert [(gap.seq, gap.last_seq) for gap in made] == expected
    assert [sum(gap.detail["counts"].values()) for gap in made] == [
        last - first + 1 for first, last in expected
    ]
