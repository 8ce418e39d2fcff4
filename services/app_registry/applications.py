"""Requests about applications: `hub.registry.app.*`.

An application is stored with compare-and-set on what was read, so that of two people who change it at the same moment one is
told. Everything that follows from it is the reconciler's. An application is removed only by name, one request each: no
absence, no list and no pattern removes anything.
"""

import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any

import structlog

from app_registry import arguments
from app_registry.desired import unpacked_revision
from app_registry.destinations import IN_CLUSTER, IN_CLUSTER_SERVER, Target, UnknownDestination
from app_registry.fleet import Fleet, Touched
from app_registry.generations import Generations
from app_registry.operations import Operations
from app_registry.project import Asked, Project
from app_registry.projects import NotPermitted
from outrider.bus import BusError, WrongRevision
from outrider.bus.buckets import Change, KeyValue
from outrider.bus.entries import current
from outrider.bus.jetstream import JetStream
from outrider.bus.services import Endpoint, RequestRefused
from outrider.names import AppName, token
from outrider.records import ApplicationRecord
from outrider.spec.application import DEFAULT_PROJECT
from outrider.spec.document import Document
from outrider.spec.metadata import cascades
from outrider.subjects import registry
from outrider.topology import APPLICATIONS

log = structlog.get_logger()

UID_BYTES = 16


class Applications:
    """Serves requests about applications."""

    def __init__(
        self,
        js: JetStream,
        fleet: Fleet,
        generations: Generations,
        operations: Operations,
        learn: Callable[[Touched], None],
        clock: Callable[[], datetime],
    ) -> None:
        """`learn` is told what a change touches: who writes must see it in the next request."""
        self._js, self._fleet, self._generations = js, fleet, generations
        self._operations, self._learn, self._clock = operations, learn, clock
        self._bucket = KeyValue(js, APPLICATIONS)

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        return [
            Endpoint("app-list", registry("app.list"), self.list),
            Endpoint("app-get", registry("app.get"), self.get),
            Endpoint("app-delete", registry("app.delete"), self.delete),
        ]

    async def apply(
        self, document: Document, *, dry_run: bool, initiated_by: str, project: Project | None = None
    ) -> dict[str, Any]:
        """Store an Application, and ask for the sync or refresh that its manifest asks for. `project`: see `check_project`."""
        name = AppName(document.name)
        self._check_permitted(document, project)
        warnings = [*document.warnings, *self._destination_warnings(document)]
        entry = await current(self._js, APPLICATIONS, token(name))
        stored = ApplicationRecord.unpack(entry.value) if entry.value is not None else None
        if stored is not None and stored.deleting:
            raise RequestRefused(f"application {name!r} is being deleted; apply it again once it is gone")
        if stored is not None and stored.manifest == document.manifest:
            result = "unchanged"
        else:
            result = "created" if stored is None else "updated"
            if not dry_run:
                await self._store(name, self._record(stored, document), entry.revision)
        warnings += self._fleet.pool_warnings(name, document.application.spec.all_sources)
        answer = {"kind": document.kind, "name": name, "result": result, "warnings": warnings}
        if not dry_run and result != "created":
            warnings += await self._refreshed_with(document, initiated_by)
        if document.application.operation is not None:
            warnings += await self._synced_with(document, initiated_by, result, dry_run=dry_run)
        return answer

    def _check_permitted(self, document: Document, project: Project | None) -> None:
        try:
            self.check_project(document, project)
        except NotPermitted as error:
            raise RequestRefused(f"Application {document.name}: {error}") from error

    def check_project(self, document: Document, project: Project | None = None) -> None:
        """Ask the project of an application whether it permits it; NotPermitted says why not.

        `project`: the one to ask instead of the stored one, for what is to be stored along with the application.
        """
        spec = document.application.spec
        placements, target = self._fleet.placements, Target.of(spec.destination)
        try:
            cluster = placements.resolve(target)
        except UnknownDestination:
            cluster = None
        asked = Asked(
            document.name,
            tuple(source.repo_url for source in spec.all_sources),
            placements.place(target, cluster),
            spec.namespace_labels,
        )
        if project is None:
            self._fleet.projects.permitting(spec.project or DEFAULT_PROJECT, asked)
        elif refusals := project.refusals(asked):
            raise NotPermitted(refusals)

    async def _refreshed_with(self, document: Document, initiated_by: str) -> list[str]:
        """Carry out a refresh that a manifest asks for; return a warning where that did not work."""
        if not document.refresh:
            return []
        asked = {"name": document.name, "hard": document.refresh == "hard", "initiated_by": initiated_by}
        return await self._tried("refresh", self._operations.refresh(asked))

    async def _synced_with(
        self, document: Document, initiated_by: str, result: str, *, dry_run: bool
    ) -> list[str]:
        """Carry out the operation of a manifest, if that changes nothing besides: what would be synced has not arrived yet."""
        if result != "unchanged":
            advice = f"ask with `outrider app sync {document.name}` once its cluster has it"
            return [
                f"operation: not carried out, since the manifest changes the application as well; {advice}"
            ]
        operation = document.application.operation
        if dry_run or operation is None:
            return []
        asked = {"name": document.name, **operation.arguments(), "initiated_by": initiated_by}
        return await self._tried("operation", self._operations.sync(asked))

    async def _tried(self, what: str, asking: Awaitable[Any]) -> list[str]:
        try:
            await asking
        except (RequestRefused, BusError) as error:
            return [f"{what}: not carried out: {error}"]
        return []

    def _record(self, stored: ApplicationRecord | None, document: Document) -> ApplicationRecord:
        now_ms = int(self._clock().timestamp() * 1000)
        if stored is not None:
            return replace(stored, manifest=document.manifest, updated_at_ms=now_ms)
        name = document.application.metadata.name
        return ApplicationRecord(name, os.urandom(UID_BYTES), document.manifest, now_ms, now_ms)

    def _destination_warnings(self, document: Document) -> list[str]:
        destination = Target.of(document.application.spec.destination)
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
            stored = await self._bucket.replace(token(name), record.pack(), revision)
        except WrongRevision as error:
            raise RequestRefused(
                f"application {name!r} was changed by somebody else at the same moment; look and try again"
            ) from error
        self._learn(self._fleet.put_application(Change(token(name), record.pack(), stored)))
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
        """Return one application. {name} -> {name, uid, cluster, manifest, conditions, deleting, desired, render}."""
        name = arguments.app(request)
        record, _ = await self._stored(name)
        cluster = self._fleet.placements.of(name)
        published = self._generations.get(cluster, name) if cluster is not None else None
        conditions = self._fleet.conditions.get(name)
        app = self._fleet.applications.get(name)
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
            "render": "edge" if app is not None and self._fleet.renders_at_edge(app) else "hub",
        }

    async def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        """Begin the end of an application. {name, cascade?, propagation?} -> {name, result}. Idempotent."""
        name = arguments.app(request)
        record, revision = await self._stored(name)
        cascade = arguments.optional(request, "cascade", bool)
        if cascade is None:
            cascade = record.cascade if record.deleting else cascades(record.manifest)
        propagation = arguments.optional(request, "propagation", str) or record.propagation
        if propagation not in ("", "foreground", "background"):
            raise RequestRefused(f"propagation: is foreground or background, not {propagation[:40]!r}")
        wanted = replace(record, deleting=True, cascade=cascade, propagation=propagation)
        if wanted != record:
            await self._store(name, wanted, revision)
        return {"name": name, "result": "deleting"}

    async def _stored(self, name: AppName) -> tuple[ApplicationRecord, int]:
        entry = await current(self._js, APPLICATIONS, token(name))
        if entry.value is None:
            raise RequestRefused(f"there is no application {name!r}")
        return ApplicationRecord.unpack(entry.value), entry.revision
