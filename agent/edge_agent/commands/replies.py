"""An answer on its way: in one reply, or in a stream of parts where it is large.

A small answer is one `CommandReply` with the answer as its body. A large one is several: body `[seq, bytes]`,
`seq` counting from 0, `last` set on the final one alone; the bytes joined are the answer as zstd-compressed
msgpack (`outrider.delta.decompress`). Parts of one answer are published in order over one connection, so they
arrive in order; one that is missing shows in the numbers, and the answer is asked for again. A part is as large as the
link carries in a moment (`edge_agent.link.pace`), far from the server's limit, so that other traffic gets in between.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from outrider import codec, delta
from outrider.messages import CommandReply

if TYPE_CHECKING:
    from collections.abc import Iterator

# Above this an answer is compressed and parted.
WHOLE_MAX_BYTES = 32 << 10
PART_MAX_BYTES = 128 << 10
# Before compression. What is larger is no answer for a person.
ANSWER_MAX_BYTES = 16 << 20


class TooLong(Exception):
    """The answer is larger than any reply may be."""


async def replies(answer: Any, part_bytes: int = PART_MAX_BYTES) -> list[bytes]:
    """Return the replies that carry an answer, in parts of so many bytes at most. Raises `TooLong`."""
    packed = codec.pack(answer)
    part_bytes = min(part_bytes, PART_MAX_BYTES)
    if len(packed) <= min(WHOLE_MAX_BYTES, 4 * part_bytes):
        return [CommandReply(answer).pack()]
    if len(packed) > ANSWER_MAX_BYTES:
        raise TooLong(f"the answer is {len(packed)} bytes long; ask for less")
    return list(_parts(await asyncio.to_thread(delta.compress_fast, packed), part_bytes))


def _parts(frame: bytes, part_bytes: int) -> Iterator[bytes]:
    for seq, start in enumerate(range(0, len(frame), part_bytes)):
        end = start + part_bytes
        yield CommandReply([seq, frame[start:end]], last=end >= len(frame)).pack()
