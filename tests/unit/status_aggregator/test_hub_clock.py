from hypothesis import given
from hypothesis import strategies as st
from tests.unit.status_aggregator.clocks import SetClock

HOUR_MS = 3_600_000


def test_a_clock_that_is_set_back_changes_nothing_of_the_time_that_has_passed() -> None:
    clock = SetClock()
    before = clock.now()
    clock.is_set(-HOUR_MS)
    clock.passes(5_000)
    after = clock.now()
    assert after.passed_ms - before.passed_ms == 5_000
    assert after.unix_ms - before.unix_ms == 5_000 - HOUR_MS


def test_what_a_clock_skips_counts_as_passed_since_the_machine_may_have_slept() -> None:
    clock = SetClock()
    before = clock.now()
    clock.is_set(HOUR_MS)
    assert clock.now().passed_ms - before.passed_ms == HOUR_MS


def test_a_clock_that_is_disciplined_in_small_steps_is_followed() -> None:
    clock = SetClock()
    before = clock.now()
    for _ in range(100):
        clock.is_set(-10)
        clock.passes(1_000)
        clock.now()
    assert clock.now().passed_ms - before.passed_ms == 100_000


@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(-(10**8), 10**8))))
def test_passed_time_never_runs_back_and_is_never_less_than_what_has_passed(
    happened: list[tuple[int, int]],
) -> None:
    clock = SetClock()
    last, begun, true = clock.now(), clock.now(), clock.passed_ms
    for passes_ms, set_by_ms in happened:
        clock.passes(passes_ms)
        clock.is_set(set_by_ms)
        now = clock.now()
        assert now.passed_ms >= last.passed_ms + passes_ms
        assert now.passed_ms - begun.passed_ms >= clock.passed_ms - true
        assert now.unix_ms == clock.unix_ms
        last = now
