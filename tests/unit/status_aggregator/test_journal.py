import pytest

from outrider import codec, delta
from outrider.codec import MalformedMessage
from outrider.messages import JournalBatch
from status_aggregator.journal import Told, merged, told_in


def entry(seq: int, epoch: int = 1) -> Told:
    return Told((epoch, seq), seq, "shop", "drift", {})


def gap(first: int, last: int, epoch: int = 1) -> Told:
    return Told((epoch, first), last, "", "gap", {"to": last, "counts": {"drift": last - first + 1}})


@pytest.mark.parametrize(
    ("came", "told"),
    [
        ([entry(2), entry(1)], [entry(1), entry(2)]),
        ([entry(5, epoch=1), entry(1, epoch=2)], [entry(5, epoch=1), entry(1, epoch=2)]),
        # Its replica was rebuilt while its clock was set back.
        (
            [entry(5, epoch=2), entry(1, epoch=1), entry(6, epoch=2)],
            [entry(5, epoch=2), entry(6, epoch=2), entry(1, epoch=1)],
        ),
        ([entry(1), gap(2, 4), entry(5)], [entry(1), gap(2, 4), entry(5)]),
        ([entry(1), entry(2), gap(1, 2)], [entry(1), entry(2)]),
        ([entry(1), entry(2), gap(1, 4)], [entry(1), gap(1, 4), entry(2)]),
        ([gap(1, 2), gap(1, 4)], [gap(1, 2), gap(1, 4)]),
        ([gap(1, 4), gap(2, 3)], [gap(1, 4)]),
    ],
)
def test_entries_are_told_in_order_and_gaps_only_for_what_is_not_told(
    came: list[Told], told: list[Told]
) -> None:
    assert list(merged(came)) == told


@pytest.mark.parametrize(
    "data",
    [
        b"",
        JournalBatch(1, b"no frame").pack(),
        JournalBatch(1, delta.compress_fast(codec.pack([["1", 2, "a", "drift", {}]]))).pack(),
        JournalBatch(1, delta.compress_fast(codec.pack([[1, 2, "a"]]))).pack(),
    ],
)
def test_what_is_no_batch_is_refused(data: bytes) -> None:
    with pytest.raises((MalformedMessage, delta.WrongBase)):
        list(told_in(data))
