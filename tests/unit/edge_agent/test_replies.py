"""Answers of an agent on their way to the hub."""

from __future__ import annotations

import os
from typing import Any

import pytest

from app_registry.replies import Parts
from edge_agent.commands.replies import ANSWER_MAX_BYTES, PART_MAX_BYTES, TooLong, replies
from outrider import codec
from outrider.codec import MalformedMessage, UnknownVersion
from outrider.messages import CommandReply


def collected(messages: list[bytes]) -> CommandReply | None:
    parts = Parts()
    answers = [parts.add(message) for message in messages]
    assert all(answer is None for answer in answers[:-1])
    return answers[-1]


def large(size_bytes: int) -> dict[str, Any]:
    return {"nodes": [os.urandom(512).hex() for _ in range(size_bytes // 1024)]}


@pytest.mark.parametrize(
    "answer", [None, {}, [], [{"name": "restart", "disabled": False}], {"a": b"x"}, "", 7]
)
async def test_a_small_answer_is_one_reply_that_any_hub_reads(answer: Any) -> None:
    (message,) = await replies(answer)
    assert CommandReply.unpack(message).body == answer
    assert collected([message]) == CommandReply(answer)


@pytest.mark.parametrize("size_bytes", [40 << 10, 1 << 20, 3 << 20])
async def test_a_large_answer_comes_whole_in_parts_below_the_servers_limit(size_bytes: int) -> None:
    answer = large(size_bytes)
    messages = await replies(answer)
    assert all(len(message) < PART_MAX_BYTES + 64 for message in messages)
    assert collected(messages) == CommandReply(answer)


async def test_an_answer_that_misses_a_part_is_refused() -> None:
    messages = await replies(large(2 << 20))
    assert len(messages) > 4
    for kept in (messages[1:], [*messages[:2], *messages[3:]], messages[-1:], [messages[0], *messages]):
        parts = Parts()
        first = next(answer for answer in map(parts.add, kept) if answer is not None)
        assert "did not come whole" in first.error


async def test_an_answer_beyond_all_bounds_is_refused_at_the_edge() -> None:
    with pytest.raises(TooLong):
        await replies("x" * ANSWER_MAX_BYTES)


def test_an_edge_can_not_make_the_hub_hold_more_than_its_bound() -> None:
    parts, part = Parts(), b"\0" * PART_MAX_BYTES
    answers = (parts.add(codec.pack([1, [seq, part], "", False])) for seq in range(1000))
    assert "did not come whole" in next(answer for answer in answers if answer is not None).error


@pytest.mark.parametrize(
    "data",
    [b"", b"\xc1", codec.pack({}), codec.pack([]), codec.pack([1, None, 5]), codec.pack([1, None, "", 3])],
)
def test_what_is_no_reply_is_told_from_one(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        Parts().add(data)


def test_parts_that_are_no_answer_are_told_from_one() -> None:
    with pytest.raises(MalformedMessage):
        Parts().add(codec.pack([1, [0, b"no frame at all"]]))
    with pytest.raises(UnknownVersion):
        Parts().add(codec.pack([2, None]))
