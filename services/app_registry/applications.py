"""Requests about applications: `hub.registry.app.*`.

An application is stored with compare-and-set on what was read, so that of two people who change it at the same moment one is
told. Everything that follows from it is the reconciler's. An application is removed only by name, one request each: no
absence, no list and no pattern removes anything.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any

import structlog

from app_registry import arguments
from app_registry.commands import Commands
from app_registry.desired import unpacked_revision
from app_registry.destinations import IN_CLUSTER, IN_CLUSTER_SERVER, UnknownDestination
from app_registry.entries import current
from app_registry.fleet import Fleet
from app_registry.generations import Generations
from outrider.bus import WrongRevision
from outrider.bus.buckets import KeyValue
from outrider.bus.jetstream import JetStream
from outrider.bus.services import Endpoint, RequestRefused
from outrider.names import AppName, ClusterName, token
from outrider.records import ApplicationRecord
from outrider.spec.document import Document, InvalidManifest, parse
from outrider.subjects import registry
from outrider.topology import APPLICATIONS

log = structlog.get_logger()

UID_BYTES = 16
PROBLEMS_SHOWN = 20
SHORT_REVISION_CHARS = 7


class Applications:
    """Serves requests about applications."""

    def __init__(
        self,
        js: JetStream,
        fleet: Fleet,
        generations: Generations,
        commands: Commands,
        clock: Callable[[], datetime],
    ) -> None:
        self._js, self._fleet, self._generations = js, fleet, generations
        self._commands, self._clock = commands, clock
        self._bucket = KeyValue(js, APPLICATIONS)

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        return [
            Endpoint("app-apply", registry("app.apply"), self.apply),
            Endpoint("app-list", registry("app.list"), self.list),
            Endpoint("app-get", registry("app.get"), self.get),
            Endpoint("app-delete", registry("app.delete"), self.delete),
            Endpoint("app-sync", registry("app.sync"), self.sync),
        ]

    async def apply(self, request: dict[str, Any]) -> dict[str, Any]:
        """Store an Application. {manifest, dry_run?} -> {name, result, warnings}."""
        document = _checked(request.get("manifest"))
        name = AppName(document.application.metadata.name)
        warnings = [*document.warnings, *self._destination_warnings(document)]
        entry = await current(self._js, APPLICATIONS, token(name))
        stored = ApplicationRecord.unpack(entry.value) if entry.value is not None else None
        if stored is not None and stored.deleting:
            raise RequestRefused(f"application {name!r} is being deleted; apply it again once it is gone")
        if stored is not None and stored.manifest == document.manifest:
            return {"name": name, "result": "unchanged", "warnings": warnings}
        if not arguments.flag(request, "dry_run"):
            await self._store(name, self._record(stored, document), entry.revision)
        result = "created" if stored is None else "updated"
        return {"name": name, "result": result, "warnings": warnings}

    def _record(self, stored: ApplicationRecord | None, document: Document) -> ApplicationRecord:
        now_ms = int(self._clock().timestamp() * 1000)
        if stored is not None:
            return replace(stored, manifest=document.manifest, updated_at_ms=now_ms)
        name = document.application.metadata.name
        return ApplicationRecord(name, os.urandom(UID_BYTES), document.manifest, now_ms, now_ms)

    def _destination_warnings(self, document: Document) -> list[str]:
        destination = document.application.spec.destination
        try:
            cluster = self._fleet.placements.resolve(destination)
        except UnknownDestination as error:
            if destination.server == IN_CLUSTER_SERVER and IN_CLUSTER not in self._fleet.placements.clusters:
                raise RequestRefused(
                    f"application {document.application.metadata.name!r}: {error}"
                ) from error
            return [f"{error}; the application waits for it"]
        name = AppName(document.application.metadata.name)
        places = {
            place for place in self._generations.places(name) if not self._generations.is_done(place, name)
        }
        if (before := self._fleet.placements.of(name)) is not None:
            places.add(before)
        return [
            f"the application moves from cluster {place!r} to {cluster!r}; what it deployed on {place!r} stays there"
            for place in sorted(places - {cluster})
        ]

    async def _store(self, name: AppName, record: ApplicationRecord, revision: int) -> None:
        try:
            await self._bucket.replace(token(name), record.pack(), revision)
        except WrongRevision as error:
            raise RequestRefused(
                f"application {name!r} was changed by somebody else at the same moment; look and try again"
            ) from error
        log.info("application stored", app=name, deleting=record.deleting)

    async def list(self, request: dict[str, Any]) -> dict[str, Any]:
        """List applications by name. {after?, limit?, cluster?} -> {items, next}."""
        after, limit = arguments.page(request)
        cluster = arguments.optional(request, "cluster", str) or ""
        names = islice(self._fleet.names(after, cluster), limit + 1)
        return arguments.paged([self._item(name) for name in names], limit, "name")

    def _item(self, name: AppName) -> dict[str, Any]:
        app = self._fleet.applications[name]
        source = next(model for model in app.source.models if model.is_rendered)
        return {
            "name": name,
            "cluster": self._fleet.placements.of(name) or app.destination.name,
            "project": app.project,
            "source": {
                "repoURL": source.repo_url,
                "path": source.chart or source.folder,
                "targetRevision": source.target_revision or "HEAD",
            },
            "deleting": app.deleting,
        }

    async def get(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return one application. {name} -> {name, uid, cluster, manifest, conditions, deleting, desired}."""
        name = arguments.app(request)
        record, _ = await self._stored(name)
        cluster = self._fleet.placements.of(name)
        published = self._generations.get(cluster, name) if cluster is not None else None
        conditions = self._fleet.conditions.get(name)
        desired = None
        if published is not None and published.last.digest is not None:
            desired = {
                "generation": list(published.generation),
                "revision": unpacked_revision(published.last.revision),
                "digest": published.last.digest.hex(),
            }
        return {
            "name": name,
            "uid": record.uid.hex(),
            "cluster": cluster or "",
            "manifest": record.manifest,
            "conditions": conditions.conditions if conditions else [],
            "deleting": record.deleting,
            "desired": desired,
        }

    async def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        """Begin the end of an application. {name, cascade?} -> {name, result}. Idempotent."""
        name = arguments.app(request)
        record, revision = await self._stored(name)
        cascade = arguments.optional(request, "cascade", bool)
        if cascade is None:
            cascade = (
                record.cascade if record.deleting else parse(record.manifest).application.metadata.cascades
            )
        wanted = replace(record, deleting=True, cascade=cascade)
        if wanted != record:
            await self._store(name, wanted, revision)
        return {"name": name, "result": "deleting"}

    async def sync(self, request: dict[str, Any]) -> Any:
        """Ask the agent for a sync. {name, prune?, dry_run?, resources?, revision?} -> the agent's answer."""
        name = arguments.app(request)
        if name not in self._fleet.applications:
            raise RequestRefused(f"there is no application {name!r}")
        cluster = self._fleet.placements.of(name)
        if cluster is None:
            raise RequestRefused(f"application {name!r} runs nowhere: its destination is not registered")
        self._check_revision(name, cluster, arguments.optional(request, "revision", str))
        asked: dict[str, Any] = {
            key: request[key] for key in ("prune", "dry_run", "resources") if key in request
        }
        return await self._commands.ask(cluster, "sync", {"app": name, **asked})

    def _check_revision(self, name: AppName, cluster: ClusterName, revision: str | None) -> None:
        published = self._generations.get(cluster, name)
        at = unpacked_revision(published.last.revision) if published else ""
        if revision and revision not in (at, at[:SHORT_REVISION_CHARS]):
            raise RequestRefused(
                f"application {name!r} is at revision {at or '(none yet)'}: syncing another one is not supported yet; "
                "set spec.source.targetRevision"
            )

    async def _stored(self, name: AppName) -> tuple[ApplicationRecord, int]:
        entry = await current(self._js, APPLICATIONS, token(name))
        if entry.value is None:
            raise RequestRefused(f"there is no application {name!r}")
        return ApplicationRecord.unpack(entry.value), entry.revision


def _checked(manifest: object) -> Document:
    try:
        return parse(manifest)
    except InvalidManifest as error:
        shown = error.problems[:PROBLEMS_SHOWN]
        more = len(error.problems) - len(shown)
        listed = "; ".join(shown) + (f"; and {more} more" if more else "")
        raise RequestRefused(f"{error.what}: {listed}") from error
