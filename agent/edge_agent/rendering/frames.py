"""What passes between the agent and the process that renders for it: msgpack in frames, each with its length before it.

From the agent: `[number, verb, arguments]`. Back: `[number, value, error]`, once for each request and in any order; an error is a
sentence for a person, otherwise None. The first answer has number 0 and comes without a request: the process is ready. A frame
that is larger than it may be, or none at all, ends the process: a half of a conversation can't be trusted.
"""

import asyncio
from typing import Any

import msgpack

from outrider import codec

HEADER_BYTES = 4
REQUEST_MAX_BYTES = 16 << 20
# Manifests of Applications have 256 KiB at most, and a few go together.
ANSWER_MAX_BYTES = 66 << 20
# A bundle has 64 MiB at most, and goes compressed.
READY = 0


class BrokenFrame(ValueError):
    """What was read is no frame, or too large a one."""


def encode(value: Any) -> bytes:
    """Return a frame."""
    body: bytes = msgpack.packb(value, use_bin_type=True)
    return len(body).to_bytes(HEADER_BYTES, "big") + body


async def receive(reader: asyncio.StreamReader, max_bytes: int) -> list[Any] | None:
    """Return the next frame's value; None at the end of the stream. BrokenFrame."""
    try:
        size = int.from_bytes(await reader.readexactly(HEADER_BYTES), "big")
        if size > max_bytes:
            raise BrokenFrame(f"a frame of {size} bytes, {max_bytes} are allowed")
        body = await reader.readexactly(size)
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise BrokenFrame("a frame that broke off") from error
        return None
    try:
        value = codec.unpack(body, max_bytes)
    except codec.MalformedMessage as error:
        raise BrokenFrame(str(error)) from error
    if not isinstance(value, list) or len(value) != 3 or type(value[0]) is not int:
        raise BrokenFrame("a frame that holds no message")
    return value
