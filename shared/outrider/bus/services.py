"""NATS services: request and answer in queue groups, with `$SRV` discovery and statistics (ADR-32, by nats-py)."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import nats.micro
import structlog
from nats.errors import Error as NatsError
from nats.micro.request import Request

from outrider import codec
from outrider.bus.connection import Connection
from outrider.bus.errors import BusError, Disconnected, NoResponders, WrongRevision
from outrider.bus.nats_client import heeding

log = structlog.get_logger()

CONCURRENT_MAX = 64
# Requests of one group that one process works on at a time; further ones wait.
ANSWER_MAX_BYTES = codec.MESSAGE_MAX_BYTES - (8 << 10)
# The server takes no larger message; without an answer, who asked would wait for one.
ERROR_CODE = "Nats-Service-Error-Code"
ERROR_TEXT = "Nats-Service-Error"
REFUSED = "400"
CONFLICT = "409"
FAILED = "500"


class RequestRefused(Exception):
    """The request can't be carried out as it is: the message is a sentence for the person who asked."""


@dataclass(frozen=True)
class Endpoint:
    """One subject of a service. `handle` takes and returns msgpack values; RequestRefused is the answer to bad input."""

    name: str
    subject: str
    handle: Callable[[dict[str, Any]], Awaitable[Any]]
    group: str = ""
    # Endpoints of one group wait for one another: those that ask somebody else hold back nobody but themselves.


async def serve(connection: Connection, name: str, version: str, endpoints: list[Endpoint]) -> None:
    """Serve until cancelled, again after every reconnect."""
    slots: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(CONCURRENT_MAX))
    # One group for all connections: an answer that is being made outlives the connection that asked for it.
    async with asyncio.TaskGroup() as tasks:
        while True:
            await connection.wait_connected()
            try:
                service = await heeding(nats.micro.add_service(connection.client, name=name, version=version))
                for endpoint in endpoints:
                    adding = service.add_endpoint(
                        name=endpoint.name,
                        subject=endpoint.subject,
                        queue_group=name,
                        handler=_spawning(endpoint, slots[endpoint.group], tasks),
                    )
                    await heeding(adding)
                await connection.wait_lost()
            except (NatsError, BusError):
                await connection.pause()


def _spawning(
    endpoint: Endpoint, slots: asyncio.Semaphore, tasks: asyncio.TaskGroup
) -> Callable[[Request], Awaitable[None]]:
    # nats-py awaits one handler at a time for each endpoint: a slow request must not hold back the others.
    async def spawn(request: Request) -> None:
        await slots.acquire()
        answer = _answer(endpoint, request)
        try:
            task = tasks.create_task(answer, name=f"serve {endpoint.name}")
        except RuntimeError:
            # The process is being stopped: whoever asked asks its successor.
            answer.close()
            slots.release()
            return
        task.add_done_callback(lambda _: slots.release())

    return spawn


async def _answer(endpoint: Endpoint, request: Request) -> None:
    try:
        answer = codec.pack(await endpoint.handle(_arguments(request.data)))
    except (RequestRefused, codec.MalformedMessage) as error:
        await _respond_error(request, REFUSED, str(error))
    except BusError as error:
        log.warning("request failed", endpoint=endpoint.name, reason=str(error))
        await _respond_error(request, FAILED, f"the hub could not do it at this moment: {error}")
    except Exception:
        # The loop's boundary: one request that meets a bug must not take the others down.
        log.exception("request failed", endpoint=endpoint.name)
        await _respond_error(request, FAILED, "the hub met an error of its own; its log says more")
    else:
        if len(answer) > ANSWER_MAX_BYTES:
            log.error("answer too large", endpoint=endpoint.name, bytes=len(answer))
            await _respond_error(request, FAILED, "the answer is larger than a message may be: ask for less")
        else:
            await _quietly(request.respond(answer))


def _arguments(data: bytes) -> dict[str, Any]:
    arguments = codec.unpack(data) if data else {}
    if not isinstance(arguments, dict):
        raise RequestRefused("the request is not a map of arguments")
    return arguments


async def _respond_error(request: Request, code: str, text: str) -> None:
    await _quietly(request.respond_error(code, " ".join(text.split())))


async def _quietly(sending: Awaitable[None]) -> None:
    """Send an answer; if the connection has gone, whoever asked will see that it went."""
    try:
        await sending
    except (NatsError, OSError) as error:
        log.debug("answer not sent", reason=str(error))


async def ask(
    connection: Connection, subject: str, arguments: dict[str, Any] | None = None, *, timeout_s: float = 30
) -> Any:
    """Ask a service. RequestRefused with its sentence, NoResponders, RequestTimedOut, Disconnected, or BusError."""
    answer = await ask_packed(connection, subject, codec.pack(arguments or {}), timeout_s=timeout_s)
    return codec.unpack(answer, max_bytes=64 << 20)


async def ask_packed(connection: Connection, subject: str, data: bytes, *, timeout_s: float = 30) -> bytes:
    """Ask with bytes that are ready to be sent, and return those of the answer. WrongRevision too, and errors as of `ask`."""
    answer = await connection.request(subject, data, timeout_s=timeout_s)
    code = answer.headers.get(ERROR_CODE)
    if code == REFUSED:
        raise RequestRefused(answer.headers.get(ERROR_TEXT, "refused"))
    if code == CONFLICT:
        raise WrongRevision(answer.headers.get(ERROR_TEXT, "changed since"))
    if code is not None:
        raise BusError(answer.headers.get(ERROR_TEXT, "failed"))
    return answer.data


def error_headers(error: Exception) -> dict[str, str]:
    """Return the headers of an answer that `ask_packed` raises an error from."""
    code = FAILED
    if isinstance(error, RequestRefused | codec.MalformedMessage):
        code = REFUSED
    elif isinstance(error, WrongRevision):
        code = CONFLICT
    return {ERROR_CODE: code, ERROR_TEXT: " ".join(str(error).split())}


__all__ = [
    "Disconnected", "Endpoint", "NoResponders", "RequestRefused", "ask", "ask_packed", "error_headers", "serve",
]  # fmt: skip
