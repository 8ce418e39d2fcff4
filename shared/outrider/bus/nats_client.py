"""One nats-py client from connect to close, with what nats-py leaves open bounded here.

It may swallow a cancellation while it connects and while it sends, never return from closing a socket whose handshake failed, and tell of a dead
server only after the dead socket has closed. So its calls are awaited for a time and then left, and its socket is aborted.
"""

import asyncio
import base64
import contextlib
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import lru_cache
from typing import Any, TypeVar

from nats.aio.client import Client
from nats.errors import ConnectionClosedError
from nats.errors import Error as NatsError

from outrider.bus.model import BusSettings, Outgoing
from outrider.bus.reach import Place
from outrider.identity.keys import KeyPair

T = TypeVar("T")
FAILURES = (OSError, NatsError, asyncio.TimeoutError, ssl.SSLError)
# Whatever a call of nats-py fails with when the connection is not as it should be.
NEVER_S = 10 * 365 * 24 * 3600
CLOSE_TIMEOUT_S = 2.0
BACKED_OFF = 2
_TCP_INFO_BYTES, _BACKOFF = 104, 4
UNSENT_MAX_BYTES = 16 << 10
# Beyond, who writes waits: a record of TLS.


async def connect(
    client: Client,
    settings: BusSettings,
    server: str,
    on_error: Callable[[Exception], None],
    on_closed: Callable[[], Awaitable[None]],
) -> "Wire":
    """Connect once; one of FAILURES otherwise. `on_error` hears of what goes wrong later, `on_closed` of the end."""
    user = settings.user()
    key = KeyPair(user.seed)
    opened = False

    async def error(problem: Exception) -> None:
        if not opened:
            # Else nats-py would try again by itself, at once.
            raise problem
        on_error(problem)

    async def closed() -> None:
        await on_closed()

    await client.connect(
        [server],
        name=user.name,
        allow_reconnect=False,
        error_cb=error,
        closed_cb=closed,
        user_jwt_cb=lambda: bytearray(user.jwt.encode()),
        signature_cb=lambda nonce: base64.b64encode(key.sign(nonce.encode())),
        connect_timeout=max(1, round(settings.connect_timeout_s)),
        # `Connection` asks by itself whether the server is still there.
        ping_interval=NEVER_S,
        inbox_prefix=user.inbox.encode(),
        tls=_tls(settings.ca_pem) if server.startswith(("tls://", "wss://")) else None,
        tls_handshake_first=server.startswith("tls://"),
    )
    opened = True
    return _bound(client, settings.unacked_timeout_s)


def framed(message: Outgoing) -> bytes:
    """Return a message as the server takes it. ValueError if a header would be more than one line."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in message.headers.items()])
    if lines.count("\n") != len(message.headers):
        raise ValueError(f"a header of a message on {message.subject} has more than one line")
    head = f"NATS/1.0\r\n{lines}\r\n".encode()
    sizes = f"{len(head)} {len(head) + len(message.data)}"
    return b"".join((f"HPUB {message.subject} {sizes}\r\n".encode(), head, message.data, b"\r\n"))


async def write(client: Client, messages: Iterable[Outgoing]) -> None:
    """Send many messages as one piece; one of FAILURES when there is no connection.

    nats-py's own way takes each for itself, down to its record of TLS, and ten times as long.
    """
    if not client.is_connected:
        raise ConnectionClosedError
    await client._send_command(b"".join(map(framed, messages)))
    await client._flush_pending()


async def drained(client: Client) -> None:
    """Wait until the client's buffers are empty, as far as the kernel takes what is in them."""
    if client._flush_queue is None:
        return
    flushed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    await client._flush_queue.put(flushed)
    # The client's flusher settles it once the socket has taken everything; it ends without that when the connection goes.
    flusher = client._flusher_task
    if flusher is not None:
        await asyncio.wait({flushed, flusher}, return_when=asyncio.FIRST_COMPLETED)


def is_clustered(client: Client) -> bool:
    """Whether the server that a client is connected to has named a cluster that it is part of."""
    # nats-py keeps what the server says of itself, and hands out only some of it.
    return bool(client._server_info.get("cluster"))


async def flushed(client: Client, timeout_s: float) -> None:
    """Wait until the server has read all that was sent; one of FAILURES after so long."""
    # nats-py writes its PING past what is still buffered.
    await within(timeout_s, drained(client))
    await client.flush(timeout=max(1, round(timeout_s)))


async def close(client: Client) -> None:
    """Close a client, and drop what is left of its socket."""
    with contextlib.suppress(*FAILURES):
        await within(CLOSE_TIMEOUT_S, client.close())
    _abort(client)


async def within(timeout_s: float, work: Coroutine[Any, Any, None]) -> None:
    """Await a call of nats-py for so long at most, and then leave it; TimeoutError."""
    task = asyncio.create_task(work, name="nats client")
    try:
        await asyncio.wait({task}, timeout=timeout_s)
    finally:
        if not task.done():
            task.cancel()
            task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    if not task.done():
        raise TimeoutError(f"nothing happened within {timeout_s:g} s")
    await task


async def heeding(call: Awaitable[T]) -> T:
    """Await a call of nats-py, and raise a cancellation that came meanwhile even if it was swallowed.

    Python 3.11's `asyncio.wait_for` does that when what it waits for comes at the same moment.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    result = await call
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError
    return result


def end_if_cancelled() -> None:
    """Raise CancelledError if the task was cancelled and nats-py has swallowed it."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


@lru_cache(maxsize=4)
def _tls(ca_pem: str | None) -> ssl.SSLContext:
    # Kept for the next connection: making it takes as long as the handshake.
    context = ssl.create_default_context(cadata=ca_pem)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


class AskingClient(Client):
    """Answers a PING of the server with a PONG and a PING.

    Nobody answers a PONG, so that the server's kernel confirms it by a packet of its own; and from then on every message, at once, until
    the server has answered one soon enough: 52 bytes more for the next one over a link that counts them. A PING is answered.
    """

    async def _process_ping(self) -> None:
        self._pongs.append(asyncio.get_running_loop().create_future())
        await self._send_command(b"PONG\r\nPING\r\n")
        await self._flush_pending()


class Wire:
    """What the kernel tells of a connection: on Linux; elsewhere that all is well."""

    def __init__(self, raw: Any) -> None:
        """`raw`: the connection's socket, None if it can't be told."""
        self._raw = raw

    @property
    def peer(self) -> Place | None:
        """Where the other side is, as far as that can be told."""
        try:
            return (self._raw.family, self._raw.getpeername()) if self._raw is not None else None
        except OSError:
            return None

    @property
    def is_unacknowledged(self) -> bool:
        """Whether the other side's kernel has not confirmed all that was sent."""
        return int.from_bytes(self._info()[24:28], sys.byteorder) > 0

    @property
    def is_backed_off(self) -> bool:
        """Whether something was sent again, more than once in a row, and not confirmed."""
        info = self._info()
        return len(info) > _BACKOFF and info[_BACKOFF] >= BACKED_OFF

    def _info(self) -> bytes:
        """Return Linux's struct tcp_info."""
        if self._raw is None or not hasattr(socket, "TCP_INFO"):
            return b""
        try:
            info: bytes = self._raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
        except OSError:
            return b""
        return info


def _bound(client: Client, timeout_s: float) -> Wire:
    # NATS sets no TCP keep-alive.
    raw = _socket(client)
    if raw is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(timeout_s * 1000))
    if raw is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):
        # What waits in the kernel can't be overtaken.
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_MAX_BYTES)
    writer = _writer(client)
    if writer is not None and writer.transport is not None:
        writer.transport.set_write_buffer_limits(high=UNSENT_MAX_BYTES)
    return Wire(raw)


def _socket(client: Client) -> Any:
    writer, web_socket = _writer(client), getattr(client._transport, "_ws", None)
    source = writer or web_socket
    return source.get_extra_info("socket") if source is not None else None


def _writer(client: Client) -> Any:
    # nats-py has no other way to its socket. A WebSocket has none.
    transport = client._transport
    return getattr(transport, "_io_writer", None) or getattr(transport, "_bare_io_writer", None)


def _abort(client: Client) -> None:
    writer = _writer(client)
    if writer is None:
        return
    if writer.transport is None:
        # Python's start_tls leaves this behind when the other side closes meanwhile; its finaliser would trip over it.
        writer._transport = _ClosedTransport()
    else:
        writer.transport.abort()


class _ClosedTransport(asyncio.Transport):
    def is_closing(self) -> bool:
        return True
