"""How large a message may be, found out from those before it."""

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.link.pace import HOLD_S, LEAST_BYTES, MOST_BYTES, Pace

SLOW, SATELLITE, FAST = (1200.0, 0.3), (2_000_000.0, 0.6), (10_000_000.0, 0.01)
# Bytes a second, and the round trip in seconds.


def sent(pace: Pace, link: tuple[float, float], count: int) -> list[float]:
    """Send messages as large as they may be; return how long each holds the link."""
    rate, round_trip_s = link
    held_s = []
    for _ in range(count):
        held_s.append(pace.part_bytes / rate)
        pace.took(pace.part_bytes, round_trip_s + held_s[-1])
    return held_s


def test_a_thin_link_is_held_for_a_second_at_a_time_after_one_message() -> None:
    pace = Pace()
    pace.took(100, SLOW[1] + 100 / SLOW[0])
    assert max(sent(pace, SLOW, 20)[1:]) <= 2 * HOLD_S + 0.1


def test_a_link_with_a_long_way_is_not_taken_for_a_thin_one() -> None:
    pace = Pace()
    pace.took(100, SATELLITE[1])
    sent(pace, SATELLITE, 4)
    assert pace.part_bytes == MOST_BYTES


def test_a_link_that_becomes_thin_is_followed_at_once_and_one_that_recovers_soon() -> None:
    pace = Pace()
    sent(pace, FAST, 5)
    assert pace.part_bytes == MOST_BYTES
    assert max(sent(pace, SLOW, 10)[1:]) <= 2 * HOLD_S
    sent(pace, FAST, 8)
    assert pace.part_bytes == MOST_BYTES


def test_a_message_that_was_lost_makes_the_next_smaller() -> None:
    pace = Pace()
    before = pace.part_bytes
    pace.failed()
    assert pace.part_bytes == before // 4


@given(st.lists(st.tuples(st.integers(1, 1 << 20), st.floats(0, 1000)), max_size=40))
def test_a_message_may_always_carry_something_and_never_too_much(took: list[tuple[int, float]]) -> None:
    pace = Pace()
    for size_bytes, elapsed_s in took:
        pace.took(size_bytes, elapsed_s)
        assert LEAST_BYTES <= pace.part_bytes <= MOST_BYTES
