"""Collect one answer of an agent: one reply, or a stream of parts (`edge_agent.commands.replies` says how).

What an edge sends is bounded before it is unpacked, and a part that is missing refuses the whole: an answer is
whole or none.
"""

from typing import Any

from outrider import codec, delta
from outrider.codec import MalformedMessage, UnknownVersion
from outrider.messages import CommandReply

# Compressed, and unpacked: an agent sends no more than the second.
PARTS_MAX_BYTES = 8 << 20
ANSWER_MAX_BYTES = 16 << 20

_INCOMPLETE = "the answer did not come whole: its link may be slow; try again"


class Parts:
    """The parts of one answer so far."""

    def __init__(self) -> None:
        self._frame = bytearray()
        self._next = 0

    def add(self, data: bytes) -> CommandReply | None:
        """Take in a reply; return the answer when it is whole. Raises `MalformedMessage`."""
        body, error, last = _parsed(data)
        match body:
            case [int(seq), bytes(part)]:
                return self._part(seq, part, last=last)
        return CommandReply(body, error)

    def _part(self, seq: int, part: bytes, *, last: bool) -> CommandReply | None:
        if seq != self._next or len(self._frame) + len(part) > PARTS_MAX_BYTES:
            return CommandReply(error=_INCOMPLETE)
        self._next += 1
        self._frame += part
        if not last:
            return None
        try:
            packed = delta.decompress(bytes(self._frame), max_bytes=ANSWER_MAX_BYTES)
        except (delta.WrongBase, delta.TooLarge) as error:
            raise MalformedMessage(f"CommandReply: its parts are no answer: {error}") from error
        return CommandReply(codec.unpack(packed, ANSWER_MAX_BYTES))


def _parsed(data: bytes) -> tuple[Any, str, bool]:
    """Return the fields of a reply, whose body may be of any type."""
    values = codec.unpack(data)
    if not isinstance(values, list) or not values or type(values[0]) is not int:
        raise MalformedMessage("CommandReply: not a versioned array")
    if values[0] != CommandReply.VERSION:
        raise UnknownVersion(f"CommandReply: version {values[0]}, this process speaks {CommandReply.VERSION}")
    defaults: list[Any] = [None, "", True]
    body, error, last = values[1:4] + defaults[len(values) - 1 :]
    if not isinstance(error, str) or not isinstance(last, bool):
        raise MalformedMessage("CommandReply: its error is no text, or its end no truth value")
    return body, error, last
