"""Requests to the API server: one connection pool, bounded, timed, errors mapped.

Every request has a timeout. At most `concurrency` requests run at a time, whoever asks; watches don't count.
When the credentials are refused they are read anew, once for all who wait, and the request is sent again;
only then is the refusal passed on. When the server's certificate doesn't verify, the pool is made anew with
the CA file as it is by then.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.request import getproxies

import aiohttp

from edge_agent.cluster import light
from edge_agent.cluster.access import Access, NoAccess
from edge_agent.cluster.answers import error_of
from edge_agent.cluster.errors import Unauthorized, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

JSON = "application/json"
# Seconds to find a watch's connection dead: 20 + 3 x 10. The kernel asks, so an idle watch costs no request.
_KEEPALIVE = tuple(
    (getattr(socket, name), value)
    for name, value in (("TCP_KEEPIDLE", 20), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
    # Not every system lets all of them be set.
    if hasattr(socket, name)
)


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `what` names the object in errors, `secret` keeps values out of them."""

    method: str
    path: str
    what: str
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None
    content_type: str = JSON
    accept: str = JSON
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """What requests may take. `timeout_s`: whole answer; `connect_s`: TCP and TLS; `concurrency`: requests
    at a time.
    """

    timeout_s: float = 30.0
    connect_s: float = 10.0
    concurrency: int = 16


class Transport:
    """The way to one API server. `async with` opens and closes its connections."""

    def __init__(self, access: Access, limits: Limits) -> None:
        self._access = access
        self._limits = limits
        self._slots = asyncio.Semaphore(limits.concurrency)
        self._renewing = asyncio.Lock()
        self._renewals = 0
        self._configuration: Any = None
        self._client: Any = None
        self.requests = 0
        """Requests sent so far, watches included."""

    async def __aenter__(self) -> Self:
        self._configuration = await self._access.configuration()
        self._client = _client(self._configuration)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._client.close()

    async def request(self, request: Request) -> tuple[int, Any]:
        """Send a request; return status and JSON of the answer. Raises `ClusterError`."""
        patience = aiohttp.ClientTimeout(total=self._limits.timeout_s, connect=self._limits.connect_s)
        async with self._slots, self._answer(request, patience) as response:
            with _mapped(request):
                body = await response.read()
        try:
            return response.status, json.loads(body) if body else None
        except ValueError as error:
            raise Unavailable(request.what, f"the answer is no JSON: {error}") from error

    @contextlib.asynccontextmanager
    async def stream(self, request: Request, silence_s: float) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a stream of lines that may stay silent for `silence_s` seconds. Raises `ClusterError`, when
        read too.
        """
        patience = aiohttp.ClientTimeout(total=None, connect=self._limits.connect_s, sock_read=silence_s)
        async with self._answer(request, patience) as response:
            _keep_alive(response)
            yield _lines(response, request)

    @contextlib.asynccontextmanager
    async def _answer(
        self, request: Request, patience: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        response = await self._send(request, patience)
        try:
            if response.status >= 400:
                with _mapped(request):
                    body = await response.read()
                raise error_of(request.what, response.status, body, response.headers, secret=request.secret)
            yield response
        finally:
            # Read to its end the connection goes back to the pool, else it is closed.
            response.release()

    async def _send(self, request: Request, patience: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        renewals = self._renewals
        try:
            response = await self._send_once(request, patience)
        except aiohttp.ClientConnectorCertificateError:
            await self._renew(request, renewals, whole=True)
            with _mapped(request):
                return await self._send_once(request, patience)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _unavailable(request, error) from error
        if response.status != 401:
            return response
        response.release()
        await self._renew(request, renewals, whole=False)
        with _mapped(request):
            return await self._send_once(request, patience)

    async def _send_once(self, request: Request, patience: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        self.requests += 1
        headers = {"Accept": request.accept, "User-Agent": "outrider-agent"}
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        try:
            settings = await self._configuration.auth_settings()
        except light.refusal() as error:
            raise Unauthorized(request.what, str(error)) from error
        for setting in settings.values():
            headers[setting["key"]] = setting["value"]
        response: aiohttp.ClientResponse = await self._client.request(
            request.method,
            self._configuration.host + request.path,
            query_params=request.query or None,
            headers=headers,
            body=request.body,
            _preload_content=False,
            _request_timeout=patience,
        )
        return response

    async def _renew(self, request: Request, seen: int, *, whole: bool) -> None:
        """Read the credentials anew, unless somebody did since `seen`; `whole` makes a pool with the TLS
        files of now.
        """
        async with self._renewing:
            if self._renewals != seen:
                return
            self._renewals += 1
            try:
                renewed = await self._access.configuration()
            except NoAccess as error:
                raise Unauthorized(request.what, str(error)) from error
            whole = whole or _tls(renewed) != _tls(self._configuration)
            self._configuration = renewed
            if whole:
                with _mapped(request):
                    client = _client(renewed)
                # Watches of the old pool end, and resume over this one.
                old, self._client = self._client, client
                await old.close()


def _client(configuration: Any) -> Any:
    """Make the connections as the configuration says, and nothing besides: no cookies, no look into ~/.netrc
    at every request, none for a proxy where the environment names none.
    """
    client = light.rest_client()(configuration)
    connector = client.pool_manager.connector
    client.pool_manager.detach()
    client.pool_manager = aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=bool(getproxies())
    )
    return client


def _tls(configuration: Any) -> tuple[object, ...]:
    return (
        configuration.host,
        configuration.ssl_ca_cert,
        configuration.cert_file,
        configuration.key_file,
        configuration.proxy,
    )


def _keep_alive(response: aiohttp.ClientResponse) -> None:
    connection = response.connection
    raw = connection.transport.get_extra_info("socket") if connection and connection.transport else None
    if raw is None or raw.family not in (socket.AF_INET, socket.AF_INET6):
        return
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE:
        raw.setsockopt(socket.IPPROTO_TCP, option, value)


async def _lines(response: aiohttp.ClientResponse, request: Request) -> AsyncIterator[bytes]:
    """Yield the lines of an answer as they come, however long."""
    rest = bytearray()
    with _mapped(request):
        async for chunk in response.content.iter_any():
            rest += chunk
            if b"\n" not in chunk:
                continue
            *lines, last = bytes(rest).split(b"\n")
            rest = bytearray(last)
            for line in lines:
                if line:
                    yield line
    if rest:
        yield bytes(rest)


@contextlib.contextmanager
def _mapped(request: Request) -> Any:
    """Let nothing of aiohttp out."""
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise _unavailable(request, error) from error


def _unavailable(request: Request, error: Exception) -> Unavailable:
    if isinstance(error, TimeoutError):
        return Unavailable(request.what, "the Kubernetes API did not answer in time")
    if isinstance(error, ssl.SSLError | aiohttp.ClientSSLError):
        return Unavailable(request.what, f"TLS with the Kubernetes API failed: {error}")
    return Unavailable(request.what, f"the Kubernetes API can't be reached: {error!r}")
