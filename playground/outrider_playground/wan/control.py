"""Steers a link in another process: one JSON object a line over a Unix socket, one JSON object back.

    {"do": "cut"}   {"do": "blackhole"}   {"do": "restore"}   {"do": "counters"}
    {"do": "delay", "latency_s": 0.3, "jitter_s": 0.05, "way": "up"}
    {"do": "throttle", "bytes_per_s": 8000}      {"do": "stall", "probability": 0.02, "length_s": 1.0}

`jitter_s` and `way` may be left out; `"bytes_per_s": null` lifts the limit. Every answer holds `ok`, `state`,
`open_connections` and `counters`; a refused request changes nothing and its answer holds `error` as well.
A client may send many lines. It is served until it closes or the link's process ends.
"""

import asyncio
import json
import math
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from outrider_playground.wan.counters import Way
from outrider_playground.wan.link import WanLink

# A request is one short line; a longer one ends the client's connection.
REQUEST_LIMIT_BYTES = 4096

_FIELDS: dict[str, frozenset[str]] = {
    "cut": frozenset(),
    "blackhole": frozenset({"way"}),
    "restore": frozenset(),
    "counters": frozenset(),
    "delay": frozenset({"latency_s", "jitter_s", "way"}),
    "throttle": frozenset({"bytes_per_s", "way"}),
    "stall": frozenset({"probability", "length_s", "way"}),
}


class ControlError(Exception):
    """A link refused a request, or does not answer."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"link control {path}: {reason}")
        self.path = path
        self.reason = reason


async def ask(path: Path, do: str, *, timeout_s: float = 5.0, **fields: object) -> dict[str, Any]:
    """Send one request to the link that listens at `path` and return its answer. Raises ControlError."""
    line = json.dumps({"do": do, **fields}).encode() + b"\n"
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                writer.write(line)
                answer = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        raise ControlError(path, f"no answer to {do!r}: {error!r}") from error
    if not answer:
        raise ControlError(path, f"the link ended before it answered {do!r}")
    decoded: dict[str, Any] = json.loads(answer)
    if not decoded["ok"]:
        raise ControlError(path, decoded["error"])
    return decoded


@asynccontextmanager
async def controlled(link: WanLink, path: Path) -> AsyncIterator[None]:
    """Serve requests for `link` at `path`, to this user only. A dead process's socket there is replaced."""
    with _listening(path) as listener:
        async with asyncio.TaskGroup() as tasks:
            server = tasks.create_task(_serve(link, listener), name="link control")
            try:
                yield
            finally:
                server.cancel()


async def _serve(link: WanLink, listener: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as clients:
        while True:
            client, _ = await loop.sock_accept(listener)
            clients.create_task(_serve_client(link, client), name="link control client")


async def _serve_client(link: WanLink, client: socket.socket) -> None:
    reader, writer = await asyncio.open_unix_connection(sock=client, limit=REQUEST_LIMIT_BYTES)
    # ValueError is the stream's word for a line over the limit.
    with suppress(OSError, ValueError):
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await _answer(link, line)).encode() + b"\n")
                await writer.drain()
        finally:
            writer.close()


async def _answer(link: WanLink, line: bytes) -> dict[str, Any]:
    try:
        await _carry_out(link, _request(line))
    except ValueError as error:
        return {"ok": False, "error": str(error), **_report(link)}
    return {"ok": True, **_report(link)}


def _report(link: WanLink) -> dict[str, Any]:
    return {
        "state": link.state.value,
        "open_connections": link.open_connections,
        "counters": asdict(link.counters()),
    }


def _request(line: bytes) -> dict[str, Any]:
    try:
        request: Any = json.loads(line)
    except ValueError:
        raise ValueError("a request is one JSON object on one line") from None
    do = request.get("do") if isinstance(request, dict) else None
    if not isinstance(do, str) or do not in _FIELDS:
        raise ValueError(f"'do' must be one of {', '.join(sorted(_FIELDS))}")
    unknown = request.keys() - _FIELDS[do] - {"do"}
    if unknown:
        raise ValueError(f"{do!r} takes no {', '.join(sorted(unknown))}")
    fields: dict[str, Any] = request
    return fields


async def _carry_out(link: WanLink, request: dict[str, Any]) -> None:
    way = None if request.get("way") is None else Way(request["way"])
    match request["do"]:
        case "cut":
            await link.cut()
        case "blackhole":
            await link.black_hole(way)
        case "restore":
            await link.restore()
        case "delay":
            link.delay(_number(request, "latency_s"), _number(request, "jitter_s", 0.0), way)
        case "throttle":
            unlimited = "bytes_per_s" in request and request["bytes_per_s"] is None
            link.throttle(None if unlimited else _number(request, "bytes_per_s"), way)
        case "stall":
            link.stall(_number(request, "probability"), _number(request, "length_s"), way)


def _number(request: dict[str, Any], field: str, default: float | None = None) -> float:
    value = request.get(field, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{request['do']!r} needs a number in {field!r}")
    return float(value)


@contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.setblocking(False)
        if _abandoned(path):
            path.unlink()
        listener.bind(str(path))
        try:
            # Before it listens: no other user gets in between.
            path.chmod(0o600)
            listener.listen()
            yield listener
        finally:
            path.unlink(missing_ok=True)


def _abandoned(path: Path) -> bool:
    """Tell a socket that nobody listens on from one that is in use."""
    if not path.is_socket():
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return True
    return False
