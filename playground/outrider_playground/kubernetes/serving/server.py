"""The HTTP server of one cluster: one listening socket, one handler, no task besides those of open connections."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from aiohttp import web

from .. import discovery
from ..errors import ApiError, PathNotFoundError
from ..openapi import openapi_document, openapi_index
from ..options import Call, read_options
from .answers import JSON, answer, path_not_found, plain, refusal
from .calls import Request, carry_out
from .paths import Target, find_target
from .streams import stream_watch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..faults import Faults, Rule
    from ..state import State
    from ..watching import Watch

_AGGREGATED: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_HEALTH: Final = ("healthz", "livez", "readyz")
_LARGEST_BODY_BYTES: Final = 3 * 1024 * 1024
_SHUTDOWN_S: Final = 0.01
"""For requests that are being answered. aiohttp takes 0 for ever, and a watch that has just begun has no end."""


def _sized_request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(
        message, payload, protocol, writer, task, loop, client_max_size=_LARGEST_BODY_BYTES + 1
    )


async def _body(http: web.BaseRequest) -> bytes:
    try:
        return await http.read() if http.body_exists else b""
    except web.HTTPRequestEntityTooLarge:
        raise ApiError(413, "RequestEntityTooLarge", f"limit is {_LARGEST_BODY_BYTES}") from None


class ApiServer:
    """Serves a state over HTTP. `requests` counts requests by verb and resource, whether they were refused or not."""

    def __init__(self, state: State, faults: Faults) -> None:
        self._state = state
        self._faults = faults
        self._server: asyncio.Server | None = None
        self._web: web.Server | None = None
        self.requests: Counter[tuple[str, str]] = Counter()
        self.watches: set[Watch] = set()
        self.port = 0
        state.catalog.listeners.append(self._end_unserved)

    async def start(self, host: str, port: int) -> None:
        """Start to listen; port 0 takes a free one, kept for later starts."""
        # a watch whose client goes ends at once; other requests are carried out without awaiting and can't be half done
        self._web = web.Server(
            self._handle, request_factory=_sized_request, access_log=None, handler_cancellation=True
        )
        self._server = await asyncio.get_running_loop().create_server(self._web, host, port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop to listen and cut all connections."""
        if self._server is None or self._web is None:
            return
        self._server.close()
        for watch in list(self.watches):
            watch.end(drop=True)
        await self._web.shutdown(_SHUTDOWN_S)
        self._server = None

    def _end_unserved(self) -> None:
        """End the watches of resources whose definition is gone."""
        for watch in list(self.watches):
            if not self._state.catalog.serves(watch.resource):
                watch.end()

    async def _handle(self, http: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._answer(http)
        except ApiError as error:
            return refusal(error)
        except PathNotFoundError:
            return path_not_found()

    async def _answer(self, http: web.BaseRequest) -> web.StreamResponse:
        path, query = unquote(http.rel_url.raw_path), http.rel_url.query
        if self._faults.cut:
            return self._cut(http)
        if self._faults.latency_s:
            await asyncio.sleep(self._faults.latency_s)
        target = self._target(http.method, path, query)
        if target is None:
            self.requests["discover", path] += 1
            spoiled = await self._spoil(http, self._faults.matching("discover", None), "discover", None)
            return spoiled or self._discover(http, path)
        return await self._call(http, target, query)

    def _target(self, method: str, path: str, query: Mapping[str, str]) -> Target | None:
        steps = path.strip("/").split("/")
        if steps[0] not in {"api", "apis"} or len(steps) < (3 if steps[0] == "api" else 4):
            return None
        return find_target(self._state.catalog, method, path, query)

    async def _call(
        self, http: web.BaseRequest, target: Target, query: Mapping[str, str]
    ) -> web.StreamResponse:
        options = read_options(query, http.headers.get("User-Agent", ""))
        call = Call(target.resource, target.namespace, target.name, target.subresource, options)
        self.requests[target.verb, target.resource.plural] += 1
        rule = self._faults.matching(target.verb, call)
        if rule is not None and not rule.after:
            spoiled = await self._spoil(http, rule, target.verb, call)
            if spoiled is not None:
                return spoiled
        body = await _body(http)
        request = Request(
            target.verb,
            call,
            query,
            http.headers.get("Content-Type", ""),
            http.headers.get("Accept", ""),
            body,
        )
        if target.verb == "watch":
            return await stream_watch(self._state, request, http, self.watches, time.monotonic)
        response = carry_out(self._state, self._faults, request)
        if rule is not None and rule.after:
            return await self._spoil(http, rule, target.verb, call) or response
        return response

    async def _spoil(
        self, http: web.BaseRequest, rule: Rule | None, verb: str, call: Call | None
    ) -> web.StreamResponse | None:
        """Do what a fault does to a request; None lets it go on."""
        if rule is None:
            return None
        if rule.latency_s:
            await asyncio.sleep(rule.latency_s)
        if rule.cut:
            return self._cut(http)
        return refusal(rule.error(verb, call)) if rule.status else None

    def _cut(self, http: web.BaseRequest) -> web.StreamResponse:
        if http.transport is not None:
            http.transport.abort()
        return web.Response(status=503)

    def _discover(self, http: web.BaseRequest, path: str) -> web.Response:
        if http.method not in {"GET", "HEAD"}:
            raise PathNotFoundError(path)
        steps = path.strip("/").split("/")
        if path == "/version":
            return answer(discovery.VERSION)
        if steps[0] in _HEALTH:
            return plain("ok")
        if steps[0] == "openapi":
            return self._openapi(http, steps)
        accept = http.headers.get("Accept", "")
        if len(steps) == 1 and steps[0] in {"api", "apis"}:
            return self._roots(steps[0], aggregated="as=APIGroupDiscoveryList" in accept and "v=v2" in accept)
        return self._group(steps)

    def _roots(self, root: str, *, aggregated: bool) -> web.Response:
        catalog = self._state.catalog
        if aggregated:
            groups = [""] if root == "api" else [name for name in catalog.groups() if name]
            return answer(discovery.aggregated(catalog, groups), content_type=_AGGREGATED)
        if root == "api":
            return answer(discovery.core_versions(f"127.0.0.1:{self.port}"))
        return answer(discovery.group_list(catalog))

    def _group(self, steps: list[str]) -> web.Response:
        catalog, found = self._state.catalog, None
        if steps[0] == "api" and len(steps) == 2:
            found = discovery.resource_list(catalog, "", steps[1])
        elif steps[0] == "apis" and len(steps) == 2:
            found = discovery.group(catalog, steps[1])
        elif steps[0] == "apis" and len(steps) == 3:
            found = discovery.resource_list(catalog, steps[1], steps[2])
        if found is None:
            raise PathNotFoundError("/".join(steps))
        return answer(found)

    def _openapi(self, http: web.BaseRequest, steps: list[str]) -> web.Response:
        if steps[1:] == ["v2"] and JSON in http.headers.get("Accept", JSON):
            return answer(
                {"swagger": "2.0", "info": {"title": "simulated", "version": "v1.36.0"}, "paths": {}}
            )
        if steps[1:] == ["v3"]:
            return answer(openapi_index(self._state.catalog))
        found = openapi_document(self._state.catalog, steps[2:]) if steps[1:2] == ["v3"] else None
        if found is None:
            raise PathNotFoundError("/".join(steps))
        return answer(found)
