import random

from hypothesis import given
from hypothesis import strategies as st

from outrider.backoff import Backoff


@given(st.integers(-1, 10_000), st.integers())
def test_delays_grow_are_capped_and_fully_jittered(attempt: int, seed: int) -> None:
    delay_s = Backoff(first_s=1.0, cap_s=60.0).delay_s(attempt, random.Random(seed))
    assert 0.0 <= delay_s <= min(60.0, 2.0 ** min(max(attempt, 0), 6))


def test_a_fleet_does_not_move_in_step() -> None:
    backoff = Backoff(first_s=1.0, cap_s=60.0)
    delays = sorted(backoff.delay_s(6, random.Random(seed)) for seed in range(200))
    assert delays[20] < 12
    assert delays[180] > 48
