"""Ask the agent of this machine over its socket. For a command line: one question, one answer, no event loop."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from edge_agent.local.messages import (
    CHUNK_BYTES,
    FRAME_MAX_BYTES,
    LENGTH_BYTES,
    Chunk,
    Reply,
    Request,
    framed,
)
from edge_agent.local.place import connected
from outrider.codec import MalformedMessage, Message

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

ANSWER_WITHIN_S = 60.0

M = TypeVar("M", bound=Message)


class Refused(Exception):
    """The agent won't do it: its sentence."""


class NoAnswer(Exception):
    """The agent ended, or gives no answer that can be read."""


class TooLate(Exception):
    """What was waited for is not done in time; it goes on."""


@dataclass(frozen=True)
class Question:
    """What is asked, and how long the answer may take. `file`: what the agent may have sent, from its beginning each time."""

    verb: str
    arguments: dict[str, Any]
    user: str = ""
    within_s: float = ANSWER_WITHIN_S
    file: BinaryIO | None = None


def ask(path: Path, question: Question, on_progress: Callable[[Any], None]) -> Any:
    """Return the agent's answer. NoSocket, Refused, NoAnswer, TooLate."""
    deadline_s = time.monotonic() + question.within_s
    with connected(path) as made:
        request = Request(question.verb, question.arguments, question.user)
        try:
            made.sendall(framed(request))
            while True:
                made.settimeout(max(0.001, deadline_s - time.monotonic()))
                reply = _receive(made, Reply)
                match reply.kind:
                    case "progress":
                        on_progress(reply.body)
                    case "send":
                        made.settimeout(question.within_s)
                        _send(made, question.file)
                    case "done":
                        return reply.body
                    case _:
                        raise Refused(str(reply.body))
        except TimeoutError as error:
            raise TooLate(f"no answer within {question.within_s:g} s") from error
        except (OSError, EOFError) as error:
            raise NoAnswer("the agent hung up before it answered: its log says more") from error
        except MalformedMessage as error:
            raise NoAnswer(
                f"the agent's answer can't be read, it may be of another version: {error}"
            ) from error


def _send(made: socket.socket, file: BinaryIO | None) -> None:
    """Send the whole file; an agent that has heard enough hangs up, and its reply says why."""
    if file is None:
        raise MalformedMessage("it asks for a file")
    file.seek(0)
    try:
        while True:
            data = file.read(CHUNK_BYTES)
            made.sendall(framed(Chunk(data, last=not data)))
            if not data:
                return
    except (BrokenPipeError, ConnectionResetError):
        return


def _receive(made: socket.socket, expected: type[M]) -> M:
    size = int.from_bytes(_exactly(made, LENGTH_BYTES), "big")
    if size > FRAME_MAX_BYTES:
        raise MalformedMessage(f"{size} bytes announced")
    return expected.unpack(_exactly(made, size), max_bytes=FRAME_MAX_BYTES)


def _exactly(made: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        data = made.recv(size - len(received))
        if not data:
            raise EOFError
        received += data
    return bytes(received)
