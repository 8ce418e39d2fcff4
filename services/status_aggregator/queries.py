"""`hub.status.*`: what the fleet is like, as far as is known, and how far that is to be trusted.

Lists come in pages, in the order of names. A page ends at its limit, at the size that one answer may have, or after a bounded number of
applications that a filter left out: so it may hold few items, or none, and still name where the next one begins.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, NamedTuple

import structlog

from outrider import codec, subjects
from outrider.bus.buckets import KeyValue
from outrider.bus.errors import NotFound
from outrider.bus.services import Endpoint, RequestRefused
from outrider.names import AppName, token
from outrider.records import StatusRecord
from status_aggregator import frames, last_word
from status_aggregator.counts import cluster_item, fleet_counts
from status_aggregator.document import HEALTHS, SYNCS, UNKNOWN, whole
from status_aggregator.freshness import FRESHNESSES
from status_aggregator.hub_clock import Moment
from status_aggregator.journal import JournalReader, place_of
from status_aggregator.paging import ANSWER_MAX_BYTES, LIMIT, LIMIT_MAX, Page, limit, number, one_of, text
from status_aggregator.records import Key
from status_aggregator.rows import NOWHERE
from status_aggregator.tally import Cluster
from status_aggregator.view import View

log = structlog.get_logger()

DOCUMENT_SHOWN_MAX_BYTES = ANSWER_MAX_BYTES // 2
# Its conditions are in the answer twice. What makes a document large is its list of objects, which `resources` hands out in pages.
SCAN_MAX = 20_000
# Applications looked at for one page.
READY_WITHIN_S = 10.0
# A question that comes while the process starts waits this long.
PRESENCE_WITHIN_S = 6.0
# And this long for the server's word of who is connected; without it, the records of that are answered.

Handler = Callable[[dict[str, Any]], Awaitable[Any]]


class Readiness(NamedTuple):
    """What must be known before anything is answered."""

    view: asyncio.Event
    presence: asyncio.Event


class Queries:
    """Answers from the view; documents come from the bucket."""

    def __init__(
        self,
        view: View,
        bucket: KeyValue,
        journal: JournalReader,
        ready: Readiness,
        now: Callable[[], Moment],
    ) -> None:
        self._view, self._bucket, self._journal = view, bucket, journal
        self._ready, self._now = ready, now

    def endpoints(self) -> list[Endpoint]:
        """Return the service's endpoints."""
        handlers = {
            "apps": self.apps,
            "app": self.app,
            "clusters": self.clusters,
            "cluster": self.cluster,
            "summary": self.summary,
            "resources": self.resources,
            "journal": self.journal,
        }
        return [
            Endpoint(verb, subjects.status_query(verb), self._when_ready(handle))
            for verb, handle in handlers.items()
        ]

    def _when_ready(self, handle: Handler) -> Handler:
        """An answer from half of what is known would show applications as missing that are not."""

        async def answer(asked: dict[str, Any]) -> Any:
            if not (self._ready.view.is_set() and self._ready.presence.is_set()):
                await self._until_ready()
            self._view.tally.advance(self._passed_ms)
            return await handle(asked)

        return answer

    async def _until_ready(self) -> None:
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                await self._ready.view.wait()
        except TimeoutError as error:
            raise RequestRefused("the hub is still reading what it knows: ask again in a moment") from error
        # Records say who was connected when they were written, which may be long ago.
        with suppress(TimeoutError):
            async with asyncio.timeout(PRESENCE_WITHIN_S):
                await self._ready.presence.wait()

    @property
    def _passed_ms(self) -> int:
        return self._now().passed_ms

    async def apps(self, asked: dict[str, Any]) -> dict[str, Any]:
        """List applications: {after?, limit?, cluster?, health?, sync?, freshness?, name?: part of it}.

        `health` and `sync` choose by what is so; together with `freshness`, by what was heard last.
        """
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
        """List an application's objects: {name, after?: number of those seen, limit?} -> how far it may be trusted, {items, next}."""
        name = self._known_app(asked)
        document, _ = await self._document(name)
        resources = document.get("resources", [])
        start = number(asked, "after", 0)
        page = Page(limit(asked, LIMIT_MAX))
        more = False
        for position, resource in enumerate(resources[start:], start + 1):
            if more := not page.add(resource):
                break
            page.last = position
        cluster = self._view.cluster_of(name)
        return {"name": name, "cluster": cluster.name, **self._last_word_of(name), **page.answer(more=more)}

    async def clusters(self, asked: dict[str, Any]) -> dict[str, Any]:
        """List clusters: {after?, limit?}."""
        page = Page(limit(asked))
        for cluster in self._view.clusters_after(text(asked, "after")):
            if not page.add(cluster_item(cluster, self._passed_ms)):
                return page.answer(more=True)
            page.last = cluster.name
        return page.answer(more=False)

    async def cluster(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Show one cluster: {name}."""
        return cluster_item(self._registered(text(asked, "name")), self._passed_ms)

    async def journal(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Tell what happened: {cluster | name of an application | both, before?, limit?} -> how far it may be trusted, {items: oldest
        first, previous}.

        With both, what happened there to an application, known or not, and to the cluster as a whole. Times are by the hub's clock, as
        far as the offset between the two is known now.
        """
        app = text(asked, "name")
        if asked.get("cluster"):
            cluster = self._registered(text(asked, "cluster"))
            apps = frozenset({app, ""} if app else ())
        else:
            cluster, apps = self._view.cluster_of(self._known_app(asked)), frozenset({app})
        before = place_of(asked.get("before"))
        found, more = await self._journal.read(cluster.name, apps=apps, before=before, limit=limit(asked))
        offset_ms = cluster.edge.clock_offset_ms if cluster.edge else 0
        page = Page(LIMIT_MAX)
        for told in reversed(found):
            if not page.add(told.item(offset_ms)):
                more = True
                break
        items = page.answer(more=False)["items"][::-1]
        word = last_word.of_cluster(cluster, self._passed_ms)
        previous = items[0]["place"] if more and items else None
        return {"cluster": cluster.name, "name": app, **word, "items": items, "previous": previous}

    async def summary(self, _asked: dict[str, Any]) -> dict[str, Any]:
        """Count the fleet."""
        return fleet_counts(self._view)

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
                packed = frames.document_of(StatusRecord.unpack(entry.value))
                return whole(packed), len(packed)
            except (NotFound, codec.MalformedMessage) as error:
                log.debug("document not shown", app=name, cluster=cluster.name, reason=str(error))
        return {}, 0

    def _filter(self, asked: dict[str, Any]) -> Callable[[str], bool]:
        words = (("sync", SYNCS), ("health", HEALTHS), ("freshness", FRESHNESSES))
        wanted = [one_of(asked, field, known) if asked.get(field) else "" for field, known in words]
        part = text(asked, "name")
        as_last_heard = bool(wanted[2])

        def matches(name: str) -> bool:
            sync, health, freshness = self._view.shown(name)
            if freshness != "fresh" and not as_last_heard:
                sync = health = UNKNOWN
            return part in name and all(
                not word or word == has for word, has in zip(wanted, (sync, health, freshness), strict=True)
            )

        return matches

    def _last_word_of(self, name: str) -> dict[str, Any]:
        return last_word.of_application(self._view, name, self._passed_ms)

    def _item(self, name: str) -> dict[str, Any]:
        application = self._view.application(name)
        if application is None:
            raise RequestRefused(f"there is no application {name[:80]!r}")
        cluster, row = self._view.cluster_of(name), self._view.row(name)
        wanted = cluster.wanted.get(name)
        return {
            "name": name,
            "cluster": cluster.name if cluster.name != NOWHERE else application.destination,
            "project": application.project,
            "sync": row.sync,
            "health": row.health,
            "revision": row.revision,
            "message": row.message,
            **self._last_word_of(name),
            "desired_revision": row.desired_revision,
            "rendered_at": "edge" if wanted and wanted.at_edge else "hub",
            "delivered": row.delivered,
            "deleting": application.deleting,
        }
