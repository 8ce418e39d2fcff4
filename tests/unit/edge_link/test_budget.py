import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.link.budget import DAY_S, STATE_EVERY_S, Budget, Lane, Limits

NOON_S = 20_000 * DAY_S + DAY_S / 2


def test_without_limits_nothing_ever_waits() -> None:
    budget = Budget()
    for lane in Lane:
        budget.spend(lane, 1 << 30, NOON_S)
        assert budget.wait_s(lane, NOON_S) == 0


def test_higher_lanes_go_on_when_lower_ones_wait() -> None:
    budget = Budget(Limits(bytes_per_s=100))
    budget.wait_s(Lane.STATE, NOON_S)
    budget.spend(Lane.STATE, 800, NOON_S)
    waits = [budget.wait_s(lane, NOON_S) for lane in Lane]
    assert waits == [0, 0, 0, 0.5, 3.0, 5.0]
    budget.spend(Lane.STATE, 400, NOON_S)
    assert [wait > 0 for wait in (budget.wait_s(lane, NOON_S) for lane in Lane)] == [
        False,
        False,
        True,
        True,
        True,
        True,
    ]


def test_a_lane_may_go_when_its_wait_is_over() -> None:
    budget = Budget(Limits(bytes_per_s=100))
    budget.wait_s(Lane.STATE, NOON_S)
    budget.spend(Lane.STATE, 2500, NOON_S)
    wait_s = budget.wait_s(Lane.STATE, NOON_S)
    assert wait_s == 15.0
    assert budget.wait_s(Lane.STATE, NOON_S + wait_s) == 0


def test_a_spent_day_stops_the_journal_until_midnight_and_slows_state_but_never_health() -> None:
    budget = Budget(Limits(bytes_per_day=1000))
    budget.spend(Lane.STATE, 950, NOON_S)
    assert budget.is_spent
    assert budget.wait_s(Lane.HEALTH, NOON_S) == 0
    assert budget.wait_s(Lane.REPLY, NOON_S) == 0
    assert budget.wait_s(Lane.STATE, NOON_S) == STATE_EVERY_S
    assert budget.wait_s(Lane.STATE, NOON_S + STATE_EVERY_S) == 0
    assert budget.wait_s(Lane.JOURNAL, NOON_S) == DAY_S / 2
    assert budget.wait_s(Lane.JOURNAL, NOON_S + DAY_S / 2) == 0
    assert not budget.is_spent


def test_a_clock_that_is_set_back_neither_fills_nor_empties_the_budget() -> None:
    budget = Budget(Limits(bytes_per_s=100, bytes_per_day=10_000))
    budget.spend(Lane.STATE, 900, NOON_S)
    before = budget.wait_s(Lane.LOGS, NOON_S)
    assert budget.wait_s(Lane.LOGS, NOON_S - 2 * DAY_S) == pytest.approx(before)
    assert budget.spent_today == 900


@given(st.lists(st.tuples(st.sampled_from(Lane), st.integers(1, 5000), st.floats(0, 50)), max_size=60))
def test_what_is_sent_stays_within_the_rate_if_every_lane_waits_as_told(
    sent: list[tuple[Lane, int, float]],
) -> None:
    budget, now_s, total = Budget(Limits(bytes_per_s=200)), NOON_S, 0
    for lane, size, pause_s in sent:
        now_s += pause_s + budget.wait_s(lane, now_s + pause_s)
        budget.spend(lane, size, now_s)
        total += size
    largest = max((size for _, size, _ in sent), default=0)
    credit = 200 * 10 * 11
    assert total <= 200 * (now_s - NOON_S) + credit + largest + 1


def test_what_is_desired_may_use_up_the_whole_day_and_then_waits_for_the_next() -> None:
    budget = Budget(Limits(bytes_per_day=1000))
    budget.spend(Lane.DESIRED, 990, NOON_S)
    assert budget.wait_s(Lane.DESIRED, NOON_S) == 0
    budget.spend(Lane.DESIRED, 10, NOON_S)
    assert budget.wait_s(Lane.DESIRED, NOON_S) == DAY_S / 2
    assert budget.wait_s(Lane.HEALTH, NOON_S) == 0


def test_a_clock_that_ran_years_ahead_and_was_set_right_does_not_hold_the_budget_for_years() -> None:
    budget = Budget(Limits(bytes_per_day=1000))
    budget.spend(Lane.STATE, 950, NOON_S + 3650 * DAY_S)
    assert budget.wait_s(Lane.JOURNAL, NOON_S) == DAY_S / 2
    assert budget.wait_s(Lane.JOURNAL, NOON_S + DAY_S / 2) == 0
