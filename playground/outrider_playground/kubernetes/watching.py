"""One client's watch: from a version, through selectors, until its time is over, its connection ends or its history is gone.

The store hands every change to every watch of the resource at once, in order; a watch turns it into what its client may see (an object that stops
matching is a deletion to it) and keeps it until it is sent. A client that reads too slowly is cut off: it must list again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from .errors import ApiError, bad_request, expired, too_large_version
from .verbs.changing import in_version
from .verbs.reading import Wanted, wanted_by

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .options import Call
    from .resources import Resource
    from .state import State
    from .store import Change
    from .values import Manifest

Event = tuple[str, dict[str, Any]]
"""ADDED, MODIFIED, DELETED, BOOKMARK or ERROR, and the object."""

BACKLOG: Final = 10_000
"""Events that may wait for a slow client before it is cut off."""

_INITIAL_END: Final = {"k8s.io/initial-events-end": "true"}


class Watch:
    """A watch that is open. Create with `open_watch`; give back with `close`."""

    def __init__(self, state: State, call: Call, wanted: Wanted) -> None:
        self._state = state
        self._call = call
        self._wanted = wanted
        self._events: deque[Event] = deque()
        self._news = asyncio.Event()
        self.ended = False
        self.dropped = False
        """Whether the connection is to be cut rather than ended."""
        self.last_version = state.store.version

    @property
    def resource(self) -> Resource:
        """What is watched."""
        return self._call.resource

    def offer(self, change: Change) -> None:
        """Take note of a change, if it is one for this watch."""
        self.last_version = change.version
        if change.storage != self._call.resource.storage or self.ended:
            return
        event = self._seen(change)
        if event is None:
            return
        self._events.append(event)
        if len(self._events) > BACKLOG:
            self.expire()
        self._news.set()

    def _seen(self, change: Change) -> Event | None:
        before = change.before is not None and self._wanted.matches(change.before)
        after = not change.deleted and self._wanted.matches(change.manifest)
        if after:
            return ("MODIFIED" if before else "ADDED", in_version(self._call, change.manifest))
        if not before:
            return None
        gone = change.before or {}
        version = {**gone["metadata"], "resourceVersion": str(change.version)}
        return ("DELETED", in_version(self._call, {**gone, "metadata": version}))

    def start_with(self, manifests: list[Manifest]) -> None:
        """Begin with what is there."""
        self._events.extend(
            ("ADDED", in_version(self._call, each)) for each in manifests if self._wanted.matches(each)
        )

    def bookmark(self, *, initial_end: bool = False) -> Event:
        """Return the event that tells how far the client has got."""
        metadata: dict[str, Any] = {"resourceVersion": str(self.last_version)}
        if initial_end:
            metadata["annotations"] = _INITIAL_END
        resource = self._call.resource
        return ("BOOKMARK", {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata})

    def append(self, event: Event) -> None:
        """Send this event after those that wait."""
        self._events.append(event)
        self._news.set()

    def expire(self) -> None:
        """Tell the client that its version is too old, and end."""
        error = expired(f"too old resource version: {self.last_version} ({self._state.store.oldest})")
        self._events.append(("ERROR", error.status()))
        self.end()

    def end(self, *, drop: bool = False) -> None:
        """End after what waits was sent, or cut the connection at once."""
        self.ended = True
        self.dropped = self.dropped or drop
        self._news.set()

    def waiting(self) -> list[Event]:
        """Take the events that wait to be sent."""
        events = list(self._events)
        self._events.clear()
        self._news.clear()
        return events

    async def news(self, timeout_s: float) -> bool:
        """Wait until there is something to send or the watch has ended; tell whether that came in time."""
        if self._events or self.ended:
            return True
        try:
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Stop taking note of changes."""
        self.ended = True
        self._state.store.ignore(self.offer)


def open_watch(state: State, call: Call, query: Mapping[str, str]) -> Watch:
    """Open a watch from where the query says. Raises ApiError (400, 410, 500, 504)."""
    wanted = wanted_by(call, query)
    initial = query.get("sendInitialEvents", "")
    if initial == "true" and query.get("resourceVersionMatch") != "NotOlderThan":
        raise bad_request("sendInitialEvents requires resourceVersionMatch=NotOlderThan")
    version = _start_version(state, query)
    watch = Watch(state, call, wanted)
    if initial == "true" or (version == 0 and initial != "false"):
        watch.start_with(state.store.listed(call.resource.storage, call.namespace))
        if initial == "true":
            watch.append(watch.bookmark(initial_end=True))
    elif version:
        for change in state.store.since(version):
            watch.offer(change)
        watch.last_version = state.store.version
    state.store.listen(watch.offer)
    return watch


def _start_version(state: State, query: Mapping[str, str]) -> int:
    text = query.get("resourceVersion", "")
    if text and not text.isdigit():
        raise ApiError(
            500,
            "",
            f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax',
        )
    version = int(text or 0)
    if version > state.store.version:
        raise too_large_version(version, state.store.version)
    return version
