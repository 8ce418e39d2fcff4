"""Requests about projects: `hub.registry.project.*`, and AppProjects in `app.apply`.

A project is stored whatever its applications are: those that it no longer permits keep what they have, with a condition. It
is removed only when no application names it, so that none loses the rules that it was written under.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog

from app_registry import arguments
from app_registry.app import App
from app_registry.fleet import Fleet, Touched
from app_registry.project import Project
from outrider.bus import WrongRevision
from outrider.bus.buckets import Change, KeyValue
from outrider.bus.entries import current
from outrider.bus.jetstream import JetStream
from outrider.bus.services import Endpoint, RequestRefused
from outrider.names import token
from outrider.records import ProjectRecord
from outrider.spec.application import DEFAULT_PROJECT
from outrider.spec.document import Document
from outrider.subjects import registry
from outrider.topology import PROJECTS

log = structlog.get_logger()

NAMED_MAX = 5
# Applications that a warning or a refusal names.


class ProjectRequests:
    """Serves requests about projects."""

    def __init__(
        self, js: JetStream, fleet: Fleet, learn: Callable[[Touched], None], clock: Callable[[], datetime]
    ) -> None:
        """`learn` is told what a change touches: who writes must see it in the next request."""
        self._js, self._fleet, self._learn, self._clock = js, fleet, learn, clock
        self._bucket = KeyValue(js, PROJECTS)

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        return [
            Endpoint("project-list", registry("project.list"), self.list),
            Endpoint("project-get", registry("project.get"), self.get),
            Endpoint("project-delete", registry("project.delete"), self.delete),
        ]

    async def apply(self, document: Document, *, dry_run: bool) -> dict[str, Any]:
        """Store an AppProject."""
        name = document.name
        entry = await current(self._js, PROJECTS, token(name))
        stored = ProjectRecord.unpack(entry.value) if entry.value is not None else None
        warnings = [*document.warnings, *self._shut_out(Project(name, document.project.spec))]
        answer = {"kind": document.kind, "name": name, "warnings": warnings}
        if stored is not None and stored.manifest == document.manifest:
            return {**answer, "result": "unchanged"}
        if not dry_run:
            now_ms = int(self._clock().timestamp() * 1000)
            kept = stored or ProjectRecord(name, {}, now_ms, now_ms)
            record = replace(kept, manifest=document.manifest, updated_at_ms=now_ms)
            await self._store(record, entry.revision)
        return {**answer, "result": "created" if stored is None else "updated"}

    def _shut_out(self, project: Project) -> list[str]:
        """Return a warning about applications that the project as it is to be does not permit."""
        names = sorted(
            app.name
            for app in self._applications(project.name)
            if self._breaks(project, app) and not app.deleting
        )
        if not names:
            return []
        return [
            f"{len(names)} of its applications are not permitted any more ({_some(names)}): each keeps what it has, and says so"
        ]

    def _applications(self, name: str) -> list[App]:
        known = self._fleet.applications
        return [known[app] for app in self._fleet.projects.applications(name) if app in known]

    def _breaks(self, project: Project, app: App) -> bool:
        cluster = self._fleet.placements.of(app.name)
        return bool(project.refusals(app.asked(self._fleet.placements.place(app.destination, cluster))))

    async def _store(self, record: ProjectRecord, revision: int) -> None:
        try:
            stored = await self._bucket.replace(token(record.name), record.pack(), revision)
        except WrongRevision as error:
            raise RequestRefused(
                f"project {record.name!r} was changed by somebody else at the same moment; look and try again"
            ) from error
        self._learn(self._fleet.put_project(Change(token(record.name), record.pack(), stored)))
        log.info("project stored", project=record.name)

    async def list(self, request: dict[str, Any]) -> dict[str, Any]:
        """List projects by name; `default` is always there. {after?, limit?} -> {items, next}."""
        after, limit = arguments.page(request)
        names = [name for name in self._fleet.projects.names() if name > after]
        return arguments.paged([self._item(name) for name in names[: limit + 1]], limit, "name")

    def _item(self, name: str) -> dict[str, Any]:
        project = self._fleet.projects.get(name)
        return {
            "name": name,
            "description": project.spec.description if project else "",
            "applications": len(self._fleet.projects.applications(name)),
            "windows": len(project.spec.sync_windows) if project else 0,
        }

    async def get(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return one project. {name} -> {name, manifest (None: the implicit default), applications}."""
        name = arguments.named(request, "project")
        entry = await current(self._js, PROJECTS, token(name))
        if entry.value is None and name != DEFAULT_PROJECT:
            raise RequestRefused(f"there is no project {name!r}")
        manifest = ProjectRecord.unpack(entry.value).manifest if entry.value is not None else None
        return {**self._item(name), "manifest": manifest}

    async def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        """Remove a project that no application names; `default` is permissive again then. {name} -> {name, result}."""
        name = arguments.named(request, "project")
        entry = await current(self._js, PROJECTS, token(name))
        if entry.value is None:
            raise RequestRefused(
                f"project {name!r} is as it is without anybody's doing" if name == DEFAULT_PROJECT
                else f"there is no project {name!r}"
            )  # fmt: skip
        users = sorted(self._fleet.projects.applications(name))
        if users and name != DEFAULT_PROJECT:
            raise RequestRefused(
                f"project {name!r} has {len(users)} applications ({_some(users)}); delete them or move them first"
            )
        await self._bucket.delete(token(name))
        log.info("project removed", project=name)
        return {"name": name, "result": "removed"}


def _some(names: list[Any]) -> str:
    more = f", and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    return ", ".join(names[:NAMED_MAX]) + more
