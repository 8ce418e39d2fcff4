import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider_playground.wan.conditions import Conditions, Timetable, TokenBucket
from outrider_playground.wan.counters import MSS_BYTES


def test_a_perfect_link_hands_on_at_once() -> None:
    timetable = Timetable(Conditions, random.Random(1))
    assert timetable.due_s(10_000, now_s=5.0) == 5.0


@given(
    seed=st.integers(),
    gaps_s=st.lists(st.floats(0, 0.2), min_size=2, max_size=50),
    probability=st.floats(0, 1),
)
def test_jitter_and_stalls_never_change_the_order(seed: int, gaps_s: list[float], probability: float) -> None:
    conditions = Conditions(latency_s=0.1, jitter_s=0.1, stall_probability=probability, stall_s=0.5)
    timetable = Timetable(lambda: conditions, random.Random(seed))
    now_s = 0.0
    due_s = []
    for gap_s in gaps_s:
        now_s += gap_s
        due_s.append(timetable.due_s(100, now_s))
        assert due_s[-1] >= now_s
    assert due_s == sorted(due_s)


def test_a_stall_holds_up_all_that_follows() -> None:
    conditions = Conditions(stall_probability=1.0, stall_s=2.0)
    current = [conditions]
    timetable = Timetable(lambda: current[0], random.Random(1))
    assert timetable.due_s(1, now_s=0.0) == 2.0
    current[0] = Conditions()
    assert timetable.due_s(1, now_s=0.1) == 2.0


def test_the_same_seed_gives_the_same_weather() -> None:
    conditions = Conditions(latency_s=1.0, jitter_s=0.5, stall_probability=0.3, stall_s=1.0)

    def weather(seed: int) -> list[float]:
        timetable = Timetable(lambda: conditions, random.Random(seed))
        return [timetable.due_s(MSS_BYTES, now_s=float(step)) for step in range(50)]

    assert weather(7) == weather(7)
    assert weather(7) != weather(8)


def test_a_chunk_of_many_segments_stalls_as_often_as_its_segments() -> None:
    conditions = Conditions(stall_probability=0.1, stall_s=1.0)
    dice = random.Random(3)
    stalled = sum(
        Timetable(lambda: conditions, dice).due_s(10 * MSS_BYTES, now_s=0.0) > 0 for _ in range(2000)
    )
    # 1 - 0.9 ** 10 = 0.651; the seed is fixed, so the count is too.
    assert 1230 < stalled < 1370


@given(rate=st.floats(100, 1e7), sizes=st.lists(st.integers(1, MSS_BYTES), min_size=1, max_size=60))
def test_a_bucket_never_passes_more_than_its_rate_and_one_burst(rate: float, sizes: list[int]) -> None:
    bucket = TokenBucket(rate, now_s=0.0)
    now_s = 0.0
    for size in sizes:
        now_s += bucket.wait_s(size, now_s)
        bucket.take(size, now_s)
    burst_bytes = max(rate * TokenBucket.BURST_S, MSS_BYTES)
    assert sum(sizes) <= rate * now_s + burst_bytes + len(sizes)
    assert now_s <= sum(sizes) / rate


def test_a_chunk_above_the_burst_passes_on_credit_that_is_repaid() -> None:
    bucket = TokenBucket(1000.0, now_s=0.0)
    assert bucket.wait_s(65_536, now_s=0.0) == 0.0
    bucket.take(65_536, now_s=0.0)
    assert bucket.wait_s(1, now_s=0.0) == pytest.approx((65_536 - MSS_BYTES + 1) / 1000.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"latency_s": -1.0},
        {"jitter_s": -0.1},
        {"stall_s": -0.1},
        {"bytes_per_s": 0.0},
        {"stall_probability": 1.5},
    ],
)
def test_conditions_that_no_link_can_have_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="a link's"):
        Conditions(**wrong)
