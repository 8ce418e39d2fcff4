"""`hub.status.*`: what the fleet is like, as far as is known, and how far that is to be trusted.

Lists come in pages, in the order of names. A page ends at its limit, at the size that one answer may have, or after a bounded number of
applications that a filter left out: so it may hold few items, or none, and still name where the next one begins.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import structlog

from outrider import codec, subjects
from outrider.bus.buckets import KeyValue
from outrider.bus.errors import NotFound
from outrider.bus.services import Endpoint, RequestRefused
from outrider.names import AppName, token
from outrider.records import StatusRecord
from status_aggregator.document import HEALTHS, SYNCS, UNKNOWN, check
from status_aggregator.freshness import FRESHNESSES, PRESENCES, Freshness
from status_aggregator.records import Key
from status_aggregator.rows import NOWHERE
from status_aggregator.tally import Cluster, Shown
from status_aggregator.view import View

log = structlog.get_logger()

LIMIT = 100
LIMIT_MAX = 500
ANSWER_MAX_BYTES = 900 << 10
# Below the largest message, with room for what is around the items.
DOCUMENT_SHOWN_MAX_BYTES = ANSWER_MAX_BYTES // 2
# Its conditions are in the answer twice. What makes a document large is its list of objects, which `resources` hands out in pages.
SCAN_MAX = 20_000
# Applications looked at for one page.
READY_WITHIN_S = 10.0
# A question that comes while the process starts waits this long.

Handler = Callable[[dict[str, Any]], Awaitable[Any]]


class Queries:
    """Answers from the view; documents come from the bucket."""

    def __init__(self, view: View, bucket: KeyValue, ready: asyncio.Event, now_ms: Callable[[], int]) -> None:
        self._view, self._bucket, self._ready, self._now_ms = view, bucket, ready, now_ms

    def endpoints(self) -> list[Endpoint]:
        """Return the service's endpoints."""
        handlers = {
            "apps": self.apps,
            "app": self.app,
            "clusters": self.clusters,
            "cluster": self.cluster,
            "summary": self.summary,
            "resources": self.resources,
        }
        return [
            Endpoint(verb, subjects.status_query(verb), self._when_ready(handle))
            for verb, handle in handlers.items()
        ]

    def _when_ready(self, handle: Handler) -> Handler:
        """An answer from half of what is known would show applications as missing that are not."""

        async def answer(asked: dict[str, Any]) -> Any:
            try:
                async with asyncio.timeout(READY_WITHIN_S):
                    await self._ready.wait()
            except TimeoutError as error:
                raise RequestRefused(
                    "the hub is still reading what it knows: ask again in a moment"
                ) from error
            self._view.tally.advance(self._now_ms())
            return await handle(asked)

        return answer

    async def apps(self, asked: dict[str, Any]) -> dict[str, Any]:
        """List applications: {after?, limit?, cluster?, health?, sync?, freshness?, name?: part of it}."""
        matches = self._filter(asked)
        names = self._view.names
        if cluster := text(asked, "cluster"):
            names = self._registered(cluster).names
        page = Page(limit(asked))
        for position, name in enumerate(names.after(text(asked, "after"))):
            if position == SCAN_MAX or (matches(name) and not page.add(self._item(name))):
                return page.answer(more=True)
            page.last = name
        return page.answer(more=False)

    async def app(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Show one application: {name} -> its item, document and conditions."""
        name = self._known_app(asked)
        document, size_bytes = await self._document(name)
        item = self._item(name)
        application = self._view.application(name)
        conditions = [
            {"type": kind, "message": message, "from": "hub"}
            for kind, message in (application.conditions if application else ())
        ]
        conditions += [{**one, "from": "edge"} for one in document.get("conditions", [])]
        if size_bytes <= DOCUMENT_SHOWN_MAX_BYTES:
            return {**item, "document": document, "conditions": conditions}
        left = {key: document[key] for key in ("sync", "health")}
        return {**item, "document": left, "conditions": conditions[:LIMIT], "truncated": True}

    async def resources(self, asked: dict[str, Any]) -> dict[str, Any]:
        """List an application's objects: {name, after?: number of those seen, limit?} -> {items, next}."""
        name = self._known_app(asked)
        document, _ = await self._document(name)
        resources = document.get("resources", [])
        start = number(asked, "after", 0)
        page = Page(limit(asked, LIMIT_MAX))
        for position, resource in enumerate(resources[start:], start + 1):
            if not page.add(resource):
                return page.answer(more=True)
            page.last = position
        return page.answer(more=False)

    async def clusters(self, asked: dict[str, Any]) -> dict[str, Any]:
        """List clusters: {after?, limit?}."""
        page = Page(limit(asked))
        for cluster in self._view.clusters_after(text(asked, "after")):
            if not page.add(cluster_item(cluster)):
                return page.answer(more=True)
            page.last = cluster.name
        return page.answer(more=False)

    async def cluster(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Show one cluster: {name}."""
        return cluster_item(self._registered(text(asked, "name")))

    async def summary(self, _asked: dict[str, Any]) -> dict[str, Any]:
        """Count the fleet. A state that is not fresh counts as Unknown; `last_known` counts it as it was."""
        totals = self._view.tally.totals
        freshnesses: Counter[str] = Counter()
        for (freshness, _), count in totals.items():
            freshnesses[freshness] += count
        return {
            "applications": len(self._view.names),
            "clusters": len(self._view.cluster_names),
            "freshness": _counts(FRESHNESSES, freshnesses),
            "presence": _counts(PRESENCES, self._view.presences),
            **_by_state((key, shown, count) for (key, shown), count in totals.items()),
        }

    def _registered(self, name: str) -> Cluster:
        cluster = self._view.cluster(name)
        if cluster is None:
            raise RequestRefused(f"no cluster is registered as {name[:80]!r}")
        return cluster

    def _known_app(self, asked: dict[str, Any]) -> str:
        name = text(asked, "name")
        if self._view.application(name) is None:
            raise RequestRefused(f"there is no application {name[:80]!r}")
        return name

    async def _document(self, name: str) -> tuple[dict[str, Any], int]:
        """Return the last good document and its size; empty if the edge has not said anything of the application."""
        cluster = self._view.cluster_of(name)
        if name in cluster.seen:
            try:
                entry = await self._bucket.get(Key(cluster.name, token(AppName(name))).text)
                packed = StatusRecord.unpack(entry.value).document
                return check(packed), len(packed)
            except (NotFound, codec.MalformedMessage) as error:
                log.debug("document not shown", app=name, cluster=cluster.name, reason=str(error))
        return {}, 0

    def _filter(self, asked: dict[str, Any]) -> Callable[[str], bool]:
        words = (("sync", SYNCS), ("health", HEALTHS), ("freshness", FRESHNESSES))
        wanted = [one_of(asked, field, known) if asked.get(field) else "" for field, known in words]
        part = text(asked, "name")

        def matches(name: str) -> bool:
            shown = self._view.shown(name)
            return part in name and all(
                not word or word == has for word, has in zip(wanted, shown, strict=True)
            )

        return matches

    def _item(self, name: str) -> dict[str, Any]:
        application = self._view.application(name)
        if application is None:
            raise RequestRefused(f"there is no application {name[:80]!r}")
        cluster, row = self._view.cluster_of(name), self._view.row(name)
        seen, wanted = cluster.seen.get(name), cluster.wanted.get(name)
        return {
            "name": name,
            "cluster": cluster.name if cluster.name != NOWHERE else application.destination,
            "project": application.project,
            "sync": row.sync,
            "health": row.health,
            "revision": row.revision,
            "message": row.message,
            "freshness": self._view.shown(name)[2],
            "presence": cluster.presence,
            "observed_at_ms": seen.observed_at_ms if seen else 0,
            "received_at_ms": seen.received_at_ms if seen else 0,
            "heard_at_ms": cluster.heard_at_ms,
            "desired_revision": wanted.revision if wanted and not wanted.is_tombstone else "",
            "delivered": row.delivered,
            "deleting": application.deleting,
        }


class Page:
    """Items up to a limit in number and bytes; `last`: after which one the next page begins."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._left_bytes = ANSWER_MAX_BYTES
        self._items: list[dict[str, Any]] = []
        self.last: str | int = ""

    def add(self, item: dict[str, Any]) -> bool:
        """Add an item, if it has room."""
        size_bytes = len(codec.canonical(item))
        if len(self._items) >= self._limit or (self._items and size_bytes > self._left_bytes):
            return False
        self._left_bytes -= size_bytes
        self._items.append(item)
        return True

    def answer(self, *, more: bool) -> dict[str, Any]:
        """Return the page."""
        return {"items": self._items, "next": self.last if more else None}


def cluster_item(cluster: Cluster) -> dict[str, Any]:
    """Return a cluster as lists show it. What is not fresh is not counted as healthy."""
    states = _by_state((cluster.freshness_of(shown), shown, count) for shown, count in cluster.counts.items())
    edge, record = cluster.edge, cluster.record
    return {
        "name": cluster.name,
        "labels": record.labels if record else {},
        "server": record.server if record else "",
        "presence": cluster.presence,
        "freshness": cluster.freshness,
        "since_ms": edge.since_ms if edge else 0,
        "heard_at_ms": cluster.heard_at_ms,
        "clock_offset_ms": edge.clock_offset_ms if edge else 0,
        "applications": len(cluster.names),
        "healthy": states["health"]["Healthy"],
        "progressing": states["health"]["Progressing"],
        "degraded": states["health"]["Degraded"],
        "out_of_sync": states["sync"]["OutOfSync"],
        "unknown": states["health"][UNKNOWN],
        **states,
    }


def _by_state(counted: Iterable[tuple[Freshness, Shown, int]]) -> dict[str, Any]:
    health: Counter[str] = Counter()
    sync: Counter[str] = Counter()
    last_health: Counter[str] = Counter()
    last_sync: Counter[str] = Counter()
    for freshness, shown, count in counted:
        is_fresh = freshness == "fresh"
        health[shown.health if is_fresh else UNKNOWN] += count
        sync[shown.sync if is_fresh else UNKNOWN] += count
        last_health[shown.health] += count
        last_sync[shown.sync] += count
    return {
        "health": _counts(HEALTHS, health),
        "sync": _counts(SYNCS, sync),
        "last_known": {"health": _counts(HEALTHS, last_health), "sync": _counts(SYNCS, last_sync)},
    }


def _counts(words: Iterable[str], counted: Counter[Any]) -> dict[str, int]:
    return {word: counted[word] for word in words}


def text(asked: dict[str, Any], field: str) -> str:
    """Return a text argument; empty if there is none."""
    value = asked.get(field)
    if value is not None and not isinstance(value, str):
        raise RequestRefused(f"`{field}` must be text")
    return value or ""


def one_of(asked: dict[str, Any], field: str, words: tuple[str, ...]) -> str:
    """Return a text argument that must be one of some words."""
    value = text(asked, field)
    if value not in words:
        raise RequestRefused(f"`{field}` must be one of {', '.join(words)}")
    return value


def number(asked: dict[str, Any], field: str, default: int) -> int:
    """Return an argument that is a number and not negative."""
    value = asked.get(field)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise RequestRefused(f"`{field}` must be a number, 0 or more")
    return value


def limit(asked: dict[str, Any], default: int = LIMIT) -> int:
    """Return how many items a page may have."""
    value = number(asked, "limit", default)
    if not 1 <= value <= LIMIT_MAX:
        raise RequestRefused(f"`limit` must be from 1 to {LIMIT_MAX}")
    return value
