"""One page over HTTP: `GET /metrics`. Bounded in connections, bytes and time, since anybody on the machine may ask."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import structlog

log = structlog.get_logger()

REQUEST_MAX_BYTES = 8 << 10
REQUEST_WITHIN_S = 5.0
CONNECTIONS_MAX = 16
_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@asynccontextmanager
async def serving(host: str, port: int, page: Callable[[], str]) -> AsyncIterator[int]:
    """Serve `page` until the block ends; enter with the port. OSError if the address can't be had."""
    slots = asyncio.Semaphore(CONNECTIONS_MAX)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_WITHIN_S), slots:
                writer.write(_answer(await reader.readuntil(b"\r\n\r\n"), page))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            log.debug("scrape ended early", reason=type(error).__name__)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(handle, host, port, limit=REQUEST_MAX_BYTES)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


def _answer(request: bytes, page: Callable[[], str]) -> bytes:
    line = request.split(b"\r\n", 1)[0].split(b" ")
    if len(line) != 3 or line[0] not in (b"GET", b"HEAD"):
        return _response("405 Method Not Allowed", "only GET is served\n")
    if line[1].split(b"?", 1)[0] != b"/metrics":
        return _response("404 Not Found", "the metrics are at /metrics\n")
    return _response("200 OK", page(), head_only=line[0] == b"HEAD")


def _response(status: str, text: str, *, head_only: bool = False) -> bytes:
    body = text.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {_CONTENT_TYPE}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + (b"" if head_only else body)
