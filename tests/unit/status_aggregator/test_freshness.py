import pytest
from hypothesis import given
from hypothesis import strategies as st

from status_aggregator.clock import SAMPLES_MAX, ClockOffset, is_plausible
from status_aggregator.freshness import FreshnessLimits, Presence, freshness

LIMITS = FreshnessLimits(heartbeat_s=100)
NOW_MS = 1_000_000


@pytest.mark.parametrize(
    ("presence", "heard_at_ms", "observed_at_ms", "expected"),
    [
        ("online", NOW_MS, NOW_MS, "fresh"),
        ("online", NOW_MS - 200_000, 1, "fresh"),
        ("online", NOW_MS - 200_001, NOW_MS, "stale"),
        ("offline", NOW_MS, NOW_MS, "stale"),
        ("unknown", NOW_MS, NOW_MS, "stale"),
        ("online", 0, NOW_MS, "unknown"),
        ("online", NOW_MS, None, "unknown"),
        ("offline", 0, None, "unknown"),
    ],
)
def test_a_state_is_fresh_only_while_its_cluster_is_there_and_was_heard_of(
    presence: Presence, heard_at_ms: int, observed_at_ms: int | None, expected: str
) -> None:
    assert freshness(presence, heard_at_ms, observed_at_ms, NOW_MS, LIMITS) == expected


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


def test_a_clock_that_was_set_is_followed() -> None:
    clock = ClockOffset()
    for n in range(SAMPLES_MAX):
        clock = clock.heard(n * 1000, n * 1000)
    assert clock.heard(100_000, 40_000).offset_ms == -60_000
    for n in range(SAMPLES_MAX):
        clock = clock.heard(n * 1000, n * 1000 + 60_000)
    assert clock.offset_ms == 60_000


def test_without_a_sample_an_edges_time_is_taken_as_it_is_but_never_for_later_than_it_arrived() -> None:
    assert ClockOffset().corrected_ms(5, 10) == 5
    assert ClockOffset().corrected_ms(50, 10) == 10


def test_what_is_no_time_is_told_apart() -> None:
    assert is_plausible(1_800_000_000_000)
    assert not is_plausible(-1)
    assert not is_plausible(1 << 60)
