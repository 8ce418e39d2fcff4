from hypothesis import given
from hypothesis import strategies as st

from edge_agent.link.frontier import Frontier
from outrider.messages import Generation


@given(st.permutations(list(range(1, 12))))
def test_whatever_the_order_all_is_complete_once_all_was_seen(order: list[int]) -> None:
    frontier = Frontier(Generation(1, 0))
    for seen, counter in enumerate(order, start=1):
        frontier.note(Generation(1, counter))
        assert frontier.complete.counter == next(n for n in range(12) if n + 1 not in order[:seen])
    assert frontier.complete == (1, 11)


def test_a_skipped_number_is_a_gap_and_the_next_number_is_none() -> None:
    frontier = Frontier(Generation(1, 5))
    assert not frontier.has_gap_before(Generation(1, 6))
    assert frontier.has_gap_before(Generation(1, 7))
    frontier.note(Generation(1, 6))
    assert not frontier.has_gap_before(Generation(1, 7))


def test_another_epoch_is_a_gap_and_an_older_one_is_not() -> None:
    frontier = Frontier(Generation(2, 5))
    assert frontier.has_gap_before(Generation(3, 1))
    assert not frontier.has_gap_before(Generation(1, 9))
    frontier.complete_up_to(Generation(3, 4))
    assert frontier.complete == (3, 4)
    assert not frontier.has_gap_before(Generation(3, 5))


def test_an_answer_that_says_less_than_was_seen_takes_nothing_back() -> None:
    frontier = Frontier(Generation(1, 5))
    frontier.complete_up_to(Generation(1, 3))
    assert frontier.complete == (1, 5)
