"""What goes over the agent's socket: one request a connection, answered by replies until one is the last.

Frames of four bytes of length and one message (`outrider.codec`), bounded, versioned. Both sides are of one distribution as a rule,
but an agent may run for months beside a command that was updated: unknown versions are refused in a sentence.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from outrider.codec import Message

LENGTH_BYTES = 4
FRAME_MAX_BYTES = 4 << 20
CHUNK_BYTES = 256 << 10

Kind = Literal["progress", "send", "done", "refused"]


@dataclass(frozen=True)
class Request(Message):
    """A command: a verb, what it is about, and who types it."""

    VERSION: ClassVar[int] = 1
    verb: str
    arguments: dict[str, Any] = field(default_factory=dict)
    user: str = ""


@dataclass(frozen=True)
class Reply(Message):
    """`progress`: how far it is; `send`: send the file, from its beginning; `done`: the answer; `refused`: a sentence."""

    VERSION: ClassVar[int] = 1
    kind: str
    body: Any = None


@dataclass(frozen=True)
class Chunk(Message):
    """A piece of a file; `last`: there is no more."""

    VERSION: ClassVar[int] = 1
    data: bytes
    last: bool = False


def framed(message: Message) -> bytes:
    """Return a message as one frame. ValueError if it is larger than any may be."""
    packed = message.pack()
    if len(packed) > FRAME_MAX_BYTES:
        raise ValueError(f"{len(packed)} bytes, {FRAME_MAX_BYTES} are allowed")
    return len(packed).to_bytes(LENGTH_BYTES, "big") + packed
