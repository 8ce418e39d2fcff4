"""JetStream by its own protocol, over a connection's short inbox: acknowledged publishes, reads by subject and sequence.

Subjects and bodies are the server's documented JSON API (ADR-1, ADR-8, ADR-31). An acknowledged publish is on disk at the hub
(`sync_interval: always`).
"""

import asyncio
import json
from typing import Any, NamedTuple

from outrider.bus.connection import Connection
from outrider.bus.errors import BusError, NotFound, WrongRevision
from outrider.bus.model import Message

TIMEOUT_S = 10.0
IN_FLIGHT_MAX = 256
# Unacknowledged publishes of one process; more gain nothing even with fsync on every message.
_NOT_FOUND = 404
_WRONG_LAST_SEQUENCE = 10071


class Refused(BusError):
    """JetStream answered with an error."""

    def __init__(self, subject: str, code: int, err_code: int, description: str) -> None:
        self.subject, self.code, self.err_code, self.description = subject, code, err_code, description
        super().__init__(f"{subject}: {description} ({err_code or code})")


class Stored(NamedTuple):
    """A message in a stream."""

    subject: str
    seq: int
    data: bytes
    headers: dict[str, str]


class JetStream:
    """The streams of the account that a connection belongs to."""

    def __init__(self, connection: Connection, timeout_s: float = TIMEOUT_S) -> None:
        self.connection = connection
        self._timeout_s = timeout_s
        self._in_flight = asyncio.Semaphore(IN_FLIGHT_MAX)

    async def api(self, verb: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask `$JS.API.<verb>`; NotFound or Refused when the answer is an error."""
        subject = f"$JS.API.{verb}"
        payload = json.dumps(body).encode() if body is not None else b""
        answer = await self.connection.request(subject, payload, timeout_s=self._timeout_s)
        parsed: dict[str, Any] = json.loads(answer.data)
        if "error" in parsed:
            raise _refused(subject, parsed["error"])
        return parsed

    async def publish(self, subject: str, data: bytes, headers: dict[str, str] | None = None) -> int:
        """Store a message; return its sequence once it is on disk. WrongRevision when an expectation in a header failed."""
        async with self._in_flight:
            answer = await self.connection.request(subject, data, timeout_s=self._timeout_s, headers=headers)
        parsed = json.loads(answer.data)
        if "error" in parsed:
            raise _refused(subject, parsed["error"])
        return int(parsed["seq"])

    async def last(self, stream: str, subject: str) -> Stored:
        """Return the newest message on a subject; NotFound if there is none."""
        api = f"$JS.API.DIRECT.GET.{stream}.{subject}"
        return _stored(await self.connection.request(api, timeout_s=self._timeout_s), subject)

    async def following(self, stream: str, subject: str, seq: int, batch: int) -> list[Stored]:
        """Return up to `batch` messages whose subject matches, from sequence `seq` on, in one request."""
        body = json.dumps({"seq": seq, "batch": batch, "next_by_subj": subject}).encode()
        messages: list[Stored] = []
        async with self.connection.answers(f"$JS.API.DIRECT.GET.{stream}", body) as answers:
            while True:
                message = await answers.next(self._timeout_s)
                # 204 ends a batch, 404 says that nothing matches.
                if message.headers.get("Status") in ("204", "404"):
                    return messages
                messages.append(_stored(message, subject))


def _refused(subject: str, error: dict[str, Any]) -> BusError:
    code, err_code = int(error.get("code", 0)), int(error.get("err_code", 0))
    if err_code == _WRONG_LAST_SEQUENCE:
        return WrongRevision(f"{subject} was written by another since it was read")
    if code == _NOT_FOUND:
        return NotFound(f"{subject}: {error.get('description', 'not found')}")
    return Refused(subject, code, err_code, str(error.get("description", "refused")))


def _stored(message: Message, wanted: str) -> Stored:
    status = message.headers.get("Status")
    if status == str(_NOT_FOUND):
        raise NotFound(f"no message on {wanted}")
    if status is not None:
        raise Refused(wanted, int(status), 0, message.headers.get("Description", "refused"))
    headers = message.headers
    return Stored(headers["Nats-Subject"], int(headers["Nats-Sequence"]), message.data, headers)
