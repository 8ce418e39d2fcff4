"""Whose turn it is, on a clock that the test moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.records import PoolPresenceRecord
from repo_renderer.gateway.presence import decide
from repo_renderer.gateway.turns import RENDERERS_MAX, SILENCE_S, TooMany, Turns

A, B, C = b"a" * 8, b"b" * 8, b"c" * 8


def heard(turns: Turns, now_s: float, **runs: bytes) -> None:
    for name, run in runs.items():
        turns.heard(run, name, "0.1.0", now_s)


def test_the_first_to_come_works_and_the_next_one_after_it_is_silent() -> None:
    turns = Turns(0)
    assert turns.holder(0) is None
    heard(turns, 0, one=A)
    heard(turns, 1, two=B)
    assert turns.holder(1) == A
    heard(turns, SILENCE_S - 1, two=B)
    assert turns.holder(SILENCE_S - 1) == A
    assert turns.holder(SILENCE_S) == B
    # It comes back, and finds that another one works.
    heard(turns, SILENCE_S + 1, one=A)
    assert turns.holder(SILENCE_S + 1) == B
    assert turns.renderers(SILENCE_S + 1) == [("two", "0.1.0"), ("one", "0.1.0")]


def test_one_that_is_stopped_is_followed_at_once() -> None:
    turns = Turns(0)
    heard(turns, 0, one=A, two=B)
    turns.left(A)
    assert turns.holder(0) == B
    turns.left(B)
    assert turns.holder(0) is None


def test_a_process_that_was_started_again_takes_over_from_its_predecessor_and_not_back() -> None:
    turns = Turns(0)
    heard(turns, 0, one=A)
    heard(turns, 1, one=B)
    assert turns.holder(1) == B
    heard(turns, 2, one=A)
    assert turns.holder(2) == B
    # Of two processes of one name that both live, the one that is left works once the other is gone.
    turns.left(B)
    assert turns.holder(2) == A


def test_a_successor_does_not_take_the_turn_of_a_renderer_of_another_name() -> None:
    turns = Turns(0)
    heard(turns, 0, one=A, two=B)
    heard(turns, 1, two=C)
    assert turns.holder(1) == A


def test_only_so_many_renderers_of_one_pool_are_let_in() -> None:
    turns = Turns(0)
    for number in range(RENDERERS_MAX):
        turns.heard(bytes([number]) * 8, f"n{number}", "", 0)
    with pytest.raises(TooMany):
        turns.heard(b"z" * 8, "more", "", 1)
    turns.heard(b"z" * 8, "more", "", SILENCE_S)


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcd"), st.sampled_from([A, B, C]), st.booleans(), st.floats(0, 2 * SILENCE_S)
        ),
        max_size=30,
    )
)
def test_at_every_moment_at_most_one_works_and_one_does_if_any_is_there(
    steps: list[tuple[str, bytes, bool, float]],
) -> None:
    turns, now_s = Turns(0), 0.0
    for name, run, leaves, pause_s in steps:
        now_s += pause_s
        if leaves:
            turns.left(run)
        else:
            turns.heard(run, name, "", now_s)
        holder = turns.holder(now_s)
        assert (holder is not None) == bool(turns.renderers(now_s))
        # It keeps its turn while nothing happens and it is heard of.
        assert turns.holder(now_s) == holder
        assert 0 < turns.next_silence_s(now_s) < SILENCE_S + 1e-6 + 1e-6


def online(since_ms: int, *names: str) -> PoolPresenceRecord:
    return PoolPresenceRecord(True, since_ms, [[name, "0.1.0"] for name in names])


def test_a_pool_is_offline_since_its_last_word_once_it_was_silent_long_enough() -> None:
    turns = Turns(100)
    assert decide(None, turns, 1000, 0) is None
    heard(turns, 1000, one=A)
    stored = decide(None, turns, 1000, 5_000_000)
    assert stored == online(5_000_000, "one")
    heard(turns, 1010, one=A)
    assert decide(stored, turns, 1010 + SILENCE_S - 1, 9_000_000) == stored
    gone = decide(stored, turns, 1010 + SILENCE_S, 5_050_000)
    assert gone == PoolPresenceRecord(False, 5_050_000 - round(SILENCE_S * 1000))
    assert decide(gone, turns, 5000, 9_000_000) == gone
    heard(turns, 6000, one=A)
    assert decide(gone, turns, 6000, 9_999_999) == online(9_999_999, "one")


def test_a_renderer_that_is_started_again_was_never_offline() -> None:
    turns = Turns(0)
    heard(turns, 0, one=A)
    stored = decide(None, turns, 0, 1)
    turns.left(A)
    assert decide(stored, turns, 5, 5001) == stored
    heard(turns, 10, one=B)
    assert decide(stored, turns, 10, 10_001) == stored


def test_who_talked_to_another_gateway_before_has_time_to_come_to_this_one() -> None:
    stored = online(1, "one")
    turns = Turns(0)
    assert decide(stored, turns, SILENCE_S - 1, 29_000) == stored
    assert decide(stored, turns, SILENCE_S, 30_000) == PoolPresenceRecord(False, 0)
