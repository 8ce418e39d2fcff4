"""Send a watch to its client as lines of JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from ..errors import ApiError
from ..watching import Event, Watch, open_watch
from .answers import JSON, as_bytes, shape_object, wanted_shape

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..state import State
    from .answers import Shape
    from .calls import Request

BOOKMARK_EVERY_S: Final = 60.0
"""How often a quiet watch tells how far it has got."""

_BOOKMARK_BEFORE_END_S: Final = 2.0
_LONGEST_S: Final = 3600.0


async def stream_watch(
    state: State,
    request: Request,
    http: web.BaseRequest,
    open_watches: set[Watch],
    elapsed: Callable[[], float],
) -> web.StreamResponse:
    """Stream a watch until its time is over or its client goes. `elapsed` is a steady clock in seconds."""
    shape = wanted_shape(request.accept, request.query)
    response = web.StreamResponse(headers={"Content-Type": JSON})
    try:
        watch = open_watch(state, request.call, request.query)
    except ApiError as error:
        if error.code != 410:
            raise
        await response.prepare(http)
        await response.write(as_bytes({"type": "ERROR", "object": error.status()}) + b"\n")
        return response
    open_watches.add(watch)
    try:
        await response.prepare(http)
        await _Stream(state, request, shape, response, watch, elapsed).run()
    except ConnectionError:  # the client went away: nobody is left to tell
        pass
    finally:
        open_watches.discard(watch)
        watch.close()
    if watch.dropped and http.transport is not None:
        http.transport.abort()
    return response


class _Stream:
    """The sending of one watch."""

    def __init__(
        self,
        state: State,
        request: Request,
        shape: Shape,
        response: web.StreamResponse,
        watch: Watch,
        elapsed: Callable[[], float],
    ) -> None:
        self._state = state
        self._request = request
        self._shape = shape
        self._response = response
        self._watch = watch
        self._elapsed = elapsed
        given = request.query.get("timeoutSeconds", "")
        self._end = elapsed() + (
            min(float(given), _LONGEST_S) if given.isdigit() and int(given) else _LONGEST_S
        )
        self._bookmarks = request.query.get("allowWatchBookmarks", "").lower() in {"1", "true"}

    async def run(self) -> None:
        """Send what comes until the end."""
        next_bookmark = self._next_bookmark()
        while True:
            events = self._watch.waiting()
            if events and not self._watch.dropped:
                await self._response.write(b"".join(self._line(event) for event in events))
                continue
            if self._watch.ended:
                return
            now = self._elapsed()
            if now >= self._end:
                return
            if now >= next_bookmark:
                await self._response.write(self._line(self._watch.bookmark()))
                next_bookmark = self._next_bookmark()
                continue
            await self._watch.news(min(self._end, next_bookmark) - now)

    def _next_bookmark(self) -> float:
        if not self._bookmarks:
            return self._end
        now = self._elapsed()
        before_end = self._end - _BOOKMARK_BEFORE_END_S
        due = now + BOOKMARK_EVERY_S
        return min(due, before_end) if before_end > now else due

    def _line(self, event: Event) -> bytes:
        kind, manifest = event
        if kind in {"ERROR", "BOOKMARK"} and self._shape.kind != "PartialObjectMetadata":
            shaped = manifest
        else:
            shaped = shape_object(self._shape, self._request.call.resource, manifest, self._state.clock())
        return as_bytes({"type": kind, "object": shaped}) + b"\n"
