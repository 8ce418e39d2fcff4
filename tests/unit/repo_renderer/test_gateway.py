"""What the gateway knows and bounds, without a bus."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider import codec, delta
from outrider.bus.services import RequestRefused
from outrider.pool_messages import packed, table_digest, unpacked
from repo_renderer.gateway import checks
from repo_renderer.gateway.bell import Bell
from repo_renderer.gateway.budget import DAY_S, Budget, Spent
from repo_renderer.gateway.tables import ANSWER_MAX_BYTES, KEYS_MAX, Row, Table, Tables


def table_of(**rows: int) -> Table:
    table = Table(Bell())
    for key, revision in rows.items():
        table.put(key, Row(revision, key.encode()))
    return table


def test_what_is_newer_comes_in_the_order_in_which_it_was_written() -> None:
    table = table_of(a=5, b=3, c=9)
    assert table.since(0) == ([("b", 3, b"b"), ("a", 5, b"a"), ("c", 9, b"c")], False)
    assert table.since(5) == ([("c", 9, b"c")], False)
    table.put("a", Row(4, b"older"))
    assert table.get("a") == Row(5, b"a")
    table.put("b", Row(10, b"newer"))
    assert table.since(9) == ([("b", 10, b"newer")], False)


def test_an_answer_is_bounded_and_what_is_larger_goes_alone() -> None:
    table = Table(Bell())
    for number in range(5):
        table.put(f"k{number}", Row(number + 1, bytes(ANSWER_MAX_BYTES // 2)))
    table.put("large", Row(9, bytes(2 * ANSWER_MAX_BYTES)))
    after, answers = 0, 0
    while True:
        entries, more = table.since(after)
        answers += 1
        after = entries[-1][1]
        if not more:
            break
    assert (after, answers) == (9, 6)


def test_two_sides_that_hold_the_same_compute_the_same_digest() -> None:
    table = table_of(a=1, b=2)
    before = table.digest
    assert before == table_digest({"b": 2, "a": 1})
    table.drop("b")
    table.drop("never")
    assert table.digest == table_digest({"a": 1}) != before
    assert Table(Bell()).digest == table_digest({})


def test_keys_come_in_pages() -> None:
    table = Table(Bell())
    for number in range(KEYS_MAX + 2):
        table.put(f"{number:06}", Row(number + 1, b""))
    first, more = table.keys_after("")
    assert (len(first), more) == (KEYS_MAX, True)
    rest, more = table.keys_after(first[-1][0])
    assert ([key for key, _ in rest], more) == ([f"{KEYS_MAX:06}", f"{KEYS_MAX + 1:06}"], False)


def test_whoever_waits_for_a_change_is_woken_by_one_that_came_while_it_looked() -> None:
    tables = Tables()
    before, listening = tables.digests(), tables.changed.listen()
    tables.named["sources"].put("a", Row(2, b""))
    assert listening.is_set()
    assert not tables.changed.listen().is_set()
    assert tables.digests() != before


@given(st.lists(st.lists(st.one_of(st.text(max_size=20), st.integers(0, 1 << 60), st.binary(max_size=50)))))
def test_entries_come_out_as_they_went_in(entries: list[list[object]]) -> None:
    assert unpacked(packed(entries)) == entries


def test_a_pool_may_add_so_much_at_once_and_again_within_a_day() -> None:
    budget = Budget(1000, 0)
    budget.spend(600, 0)
    budget.check(400, 0)
    with pytest.raises(Spent, match="401 more are taken in 1 min"):
        budget.spend(401, 0)
    budget.spend(400, 0)
    with pytest.raises(Spent):
        budget.spend(1, 0)
    budget.spend(500, DAY_S / 2)
    with pytest.raises(Spent):
        budget.spend(501, DAY_S)
    with pytest.raises(Spent):
        budget.spend(1001, 100 * DAY_S)
    budget.spend(1000, 100 * DAY_S)


def bundle(value: object) -> tuple[bytes, bytes]:
    data = codec.canonical(value)
    return delta.compress(data), delta.digest(data)


@pytest.mark.parametrize(
    "value", [[], [{"kind": "A", "spec": {"x": [1, None, b"z"]}}], [{}] * 1000, [{"a": 1, "b": [[[[]]]]}]]
)
def test_a_list_of_manifests_is_a_bundle(value: object) -> None:
    frame, digest = bundle(value)
    checks.bundle(frame, digest, 1 << 20)


@pytest.mark.parametrize("value", [None, 1, "x", {}, {"kind": "A"}, [1], [[]], [{}, 1], [None]])
def test_anything_else_is_none(value: object) -> None:
    frame, digest = bundle(value)
    with pytest.raises(RequestRefused, match="no list of manifests"):
        checks.bundle(frame, digest, 1 << 20)


@given(st.binary(max_size=200))
def test_no_bytes_get_past_the_check_but_those_of_a_list_of_maps(data: bytes) -> None:
    frame, digest = delta.compress(data), delta.digest(data)
    try:
        checks.bundle(frame, digest, 1 << 20)
    except RequestRefused:
        return
    assert all(isinstance(one, dict) for one in codec.unpack(data))


def test_a_few_bytes_that_stand_for_millions_of_objects_are_told_without_building_them() -> None:
    count = 300_000
    for data in (
        b"\xdd" + count.to_bytes(4, "big") + b"\x80" * count,
        b"\x91\xdf" + count.to_bytes(4, "big") + b"\xc0" * 2 * count,
        b"\xdd\xff\xff\xff\xff",
        b"\x91" * 100_000,
        b"\x91\x81\xa1a" + b"\x91" * 100_000,
    ):
        with pytest.raises(RequestRefused):
            checks.bundle(delta.compress_fast(data), delta.digest(data), 1 << 26)


def test_random_frames_are_refused() -> None:
    rng = random.Random(3)
    for _ in range(200):
        with pytest.raises(RequestRefused):
            checks.bundle(rng.randbytes(rng.randrange(80)), b"d" * 32, 1 << 20)
