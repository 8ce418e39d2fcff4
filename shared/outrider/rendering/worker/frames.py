"""Messages between the pool and a worker: four bytes of length, then msgpack."""

import struct
from typing import Any, BinaryIO

import msgpack

HEADER_BYTES = 4


def encode(message: dict[str, Any]) -> bytes:
    """Return a message as it is sent."""
    body: bytes = msgpack.packb(message)
    return struct.pack(">I", len(body)) + body


def body_size(header: bytes) -> int:
    """Return how many bytes follow a header."""
    return int(struct.unpack(">I", header)[0])


def decode(body: bytes) -> dict[str, Any]:
    """Return a message from its body; ValueError if it is none."""
    message = msgpack.unpackb(body)
    if not isinstance(message, dict):
        raise ValueError("a message is a mapping")  # noqa: TRY004 - one error for whatever is no message
    return message


def receive(stream: BinaryIO) -> dict[str, Any] | None:
    """Return the next message, None at the end of the stream."""
    header = stream.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES:
        return None
    return decode(stream.read(body_size(header)))


def send(stream: BinaryIO, message: dict[str, Any]) -> None:
    """Send a message."""
    stream.write(encode(message))
    stream.flush()
