"""`hub.registry.app.apply` and `app.check`: manifests of every kind that the hub takes, each handed to whom it concerns.

A check says what an apply would refuse, and why, without the order in which a person's manifests come: what an application needs
and is not there yet is named, not refused.
"""

from typing import Any

from app_registry import arguments
from app_registry.applications import Applications
from app_registry.destinations import Target, UnknownDestination
from app_registry.fleet import Fleet
from app_registry.origins import same_repository
from app_registry.project import IMPLICIT_DEFAULT, Project
from app_registry.project_requests import ProjectRequests
from app_registry.projects import NotPermitted
from app_registry.set_requests import SetRequests
from app_registry.settings_requests import SettingsRequests
from outrider.bus.services import Endpoint, RequestRefused
from outrider.spec.application import DEFAULT_PROJECT
from outrider.spec.document import Document, InvalidManifest, parse
from outrider.subjects import registry

PROBLEMS_SHOWN = 20


class Applying:
    """Serves manifests."""

    def __init__(
        self,
        fleet: Fleet,
        applications: Applications,
        projects: ProjectRequests,
        sets: SetRequests,
        settings: SettingsRequests,
    ) -> None:
        self._fleet = fleet
        self._applications, self._projects, self._sets, self._settings = (
            applications,
            projects,
            sets,
            settings,
        )

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        return [
            Endpoint("app-apply", registry("app.apply"), self.apply),
            Endpoint("app-check", registry("app.check"), self.check),
        ]

    async def apply(self, request: dict[str, Any]) -> dict[str, Any]:
        """Store a manifest. {manifest, dry_run?, initiated_by?, project?} -> {kind, name, result, warnings}.

        `project`, for a dry run: the AppProject that is to be stored before the application, which is judged by it.
        """
        document = _checked(request.get("manifest"))
        dry_run = arguments.flag(request, "dry_run")
        match document.kind:
            case "AppProject":
                return await self._projects.apply(document, dry_run=dry_run)
            case "ApplicationSet":
                return await self._sets.apply(document, dry_run=dry_run)
            case "ConfigMap":
                return await self._settings.apply(document, dry_run=dry_run)
        user = arguments.optional(request, "initiated_by", str) or ""
        along = _along(request) if dry_run else None
        return await self._applications.apply(document, dry_run=dry_run, initiated_by=user, project=along)

    async def check(self, request: dict[str, Any]) -> dict[str, Any]:
        """Judge a manifest and write nothing. {manifest, project?} -> {refusals, warnings, needs: {repositories, cluster, project}}.

        `needs` holds what is not there yet: repositories that are not registered, a cluster, a project; empty where nothing is.
        """
        needs: dict[str, Any] = {"repositories": [], "cluster": "", "project": ""}
        answer: dict[str, Any] = {"refusals": [], "warnings": [], "needs": needs}
        try:
            document = parse(request.get("manifest"))
        except InvalidManifest as error:
            return {**answer, "refusals": error.problems}
        answer |= {"kind": document.kind, "name": document.name, "warnings": document.warnings}
        if document.kind == "Application":
            answer["refusals"] = self._check_application(document, needs, _along(request))
        return answer

    def _check_application(
        self, document: Document, needs: dict[str, Any], along: Project | None
    ) -> list[str]:
        spec = document.application.spec
        origins = self._fleet.origins
        known = {same_repository(record.url) for record in origins.records.values()}
        urls = dict.fromkeys(source.repo_url for source in spec.all_sources)
        needs["repositories"] = [url for url in urls if same_repository(url) not in known]
        try:
            self._fleet.placements.resolve(Target.of(spec.destination))
        except UnknownDestination:
            needs["cluster"] = spec.destination.name or spec.destination.server
        project = spec.project or DEFAULT_PROJECT
        if along is None and self._fleet.projects.get(project) is None:
            needs["project"] = project
            return []
        try:
            self._applications.check_project(document, along)
        except NotPermitted as error:
            return error.refusals
        return []


def _along(request: dict[str, Any]) -> Project | None:
    """Return the project that is to be stored along with an application. What is wrong with it is told where it is applied."""
    if request.get("project") is None:
        return None
    try:
        document = parse(request["project"])
    except InvalidManifest:
        return IMPLICIT_DEFAULT
    if document.kind != "AppProject":
        raise RequestRefused("project: give the manifest of an AppProject")
    return Project(document.name, document.project.spec)


def _checked(manifest: object) -> Document:
    try:
        return parse(manifest)
    except InvalidManifest as error:
        shown = error.problems[:PROBLEMS_SHOWN]
        more = len(error.problems) - len(shown)
        listed = "; ".join(shown) + (f"; and {more} more" if more else "")
        raise RequestRefused(f"{error.what}: {listed}") from error
