import pytest
from hypothesis import given
from hypothesis import strategies as st

from status_aggregator.clock import SAMPLES_MAX, ClockOffset, is_plausible
from status_aggregator.freshness import FreshnessLimits, Presence, freshness

LIMITS = FreshnessLimits(heartbeat_s=100)
HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("presence", "age_ms", "is_heard", "expected"),
    [
        ("online", 0, True, "fresh"),
        ("online", 200_000, True, "fresh"),
        ("online", 200_001, True, "stale"),
        ("online", None, True, "stale"),
        ("offline", 0, True, "offline"),
        ("offline", None, True, "offline"),
        ("unknown", 0, True, "stale"),
        ("online", 0, False, "unknown"),
        ("offline", None, False, "unknown"),
    ],
)
def test_a_state_is_fresh_only_while_its_cluster_is_there_and_was_heard_of(
    presence: Presence, age_ms: int | None, is_heard: bool, expected: str
) -> None:
    assert freshness(presence, age_ms, LIMITS, is_heard=is_heard) == expected


@pytest.mark.parametrize(
    ("age_ms", "connected_for_ms", "expected"),
    [
        (100_000, 200_000, "fresh"),
        (100_000, 41_000, "fresh"),
        (100_000, 39_000, "stale"),
        (100_000, 0, "stale"),
        (59_000, 0, "fresh"),
    ],
)
def test_a_word_from_before_an_outage_is_not_fresh_once_its_cluster_is_back(
    age_ms: int, connected_for_ms: int, expected: str
) -> None:
    assert freshness("online", age_ms, LIMITS, connected_for_ms=connected_for_ms) == expected


@given(st.integers(-(10**9), 10**9), st.lists(st.integers(0, 5_000), min_size=1, max_size=20))
def test_the_offset_is_off_by_the_shortest_time_a_batch_was_under_way(
    offset_ms: int, delays_ms: list[int]
) -> None:
    clock = ClockOffset()
    sent_ms = 10**10
    for delay_ms in delays_ms:
        sent_ms += 10_000
        clock = clock.heard(sent_ms - offset_ms, sent_ms + delay_ms)
    assert clock.offset_ms - offset_ms == min(delays_ms[-SAMPLES_MAX:])
    assert clock.corrected_ms(sent_ms - offset_ms, sent_ms + delays_ms[-1]) <= sent_ms + delays_ms[-1]


def heard(clock: ClockOffset, number: int, offset_ms: int, late_ms: int = 0) -> ClockOffset:
    for n in range(number):
        clock = clock.heard(10**10 + n * 1_000, 10**10 + n * 1_000 + offset_ms + late_ms)
    return clock


@pytest.mark.parametrize("before_ms", [0, HOUR_MS, -HOUR_MS])
def test_an_edges_clock_that_is_set_forward_is_followed_at_once(before_ms: int) -> None:
    clock = heard(heard(ClockOffset(), SAMPLES_MAX, before_ms), 1, before_ms - HOUR_MS)
    assert clock.offset_ms == before_ms - HOUR_MS


@pytest.mark.parametrize("before_ms", [0, HOUR_MS, -HOUR_MS])
def test_an_edges_clock_that_is_set_back_is_followed_from_the_second_word_on(before_ms: int) -> None:
    clock = heard(heard(ClockOffset(), SAMPLES_MAX, before_ms), 2, before_ms + HOUR_MS)
    assert clock.offset_ms == before_ms + HOUR_MS


def test_a_clock_that_was_wrong_for_one_word_is_not_believed_for_long() -> None:
    clock = heard(heard(heard(ClockOffset(), 4, 0), 1, -HOUR_MS), 2, 0)
    assert clock.offset_ms == 0


def test_words_that_were_long_under_way_do_not_look_like_a_clock_that_was_set() -> None:
    clock = heard(ClockOffset(), 3, 0)
    for late_ms in (90_000, 50_000, 10_000):
        clock = heard(clock, 1, 0, late_ms)
    assert clock.offset_ms == 0


@pytest.mark.parametrize("offset_ms", [0, HOUR_MS, -HOUR_MS])
def test_from_the_first_word_after_a_connect_times_are_told_by_the_hubs_clock(offset_ms: int) -> None:
    clock = ClockOffset().heard(10**10, 10**10 + offset_ms + 40)
    assert clock.corrected_ms(10**10, 10**10 + offset_ms + 40) == 10**10 + offset_ms + 40


def test_without_a_sample_an_edges_time_is_taken_as_it_is_but_never_for_later_than_it_arrived() -> None:
    assert ClockOffset().corrected_ms(5, 10) == 5
    assert ClockOffset().corrected_ms(50, 10) == 10


def test_what_is_no_time_is_told_apart() -> None:
    assert is_plausible(1_800_000_000_000)
    assert not is_plausible(-1)
    assert not is_plausible(1 << 60)
