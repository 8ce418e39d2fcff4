"""What a person may ask of an application's cluster: `hub.registry.app.sync`, `terminate`, `refresh`, `rollback`, …

The agent does it and answers; the hub finds the cluster, checks the arguments, and says in a sentence when nobody is there. A sync
of another revision than the desired one is rendered first: the agent is told the bundle, and fetches it as any other; or the
revision alone, where it renders the application itself.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from app_registry import arguments
from app_registry.app import App
from app_registry.commands import Commands
from app_registry.desired import unpacked_revision
from app_registry.fleet import Fleet
from app_registry.generations import Generations
from app_registry.projects import NotPermitted
from outrider.bus import BusError, Connection, NoResponders
from outrider.bus.services import Endpoint, RequestRefused, ask
from outrider.names import AppName, ClusterName
from outrider.spec.sync_policy import sync_option
from outrider.subjects import registry, render

log = structlog.get_logger()

GROUP = "operations"
# Of endpoints: a fleet of silent clusters must not keep the registry from answering the rest.
RENDER_TIMEOUT_S = 25.0
# A fetch and a rendering; who asked waits no longer than 30 s.
SHORT_REVISION_CHARS = 7
RESOURCES_MAX = 1000
_CHANGES = frozenset({"rollback", "action"})
# Beside sync: what writes objects, and so is for permitted applications alone.
_Arguments = dict[str, Any]


class Operations:
    """Serves requests that an application's cluster carries out."""

    def __init__(
        self, connection: Connection, fleet: Fleet, generations: Generations, commands: Commands
    ) -> None:
        self._connection, self._fleet = connection, fleet
        self._generations, self._commands = generations, commands

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        asked: dict[str, Callable[[_Arguments], Awaitable[Any]]] = {
            "sync": self.sync,
            "refresh": self.refresh,
            "terminate": self._passed("terminate", _nothing),
            "rollback": self._passed("rollback", _rollback),
            "approve": self._passed("approve", _resources),
            "actions": self._passed("actions", _any_resource),
            "action": self._passed("action", _action),
        }
        return [
            Endpoint(f"app-{verb}", registry(f"app.{verb}"), handle, group=GROUP)
            for verb, handle in asked.items()
        ]

    def _passed(
        self, verb: str, checked: Callable[[_Arguments], _Arguments]
    ) -> Callable[[_Arguments], Awaitable[Any]]:
        """Return a handler that hands a request on as it is, its arguments checked. {name, …} -> the agent's answer."""

        async def handle(request: _Arguments) -> Any:
            app, cluster = self._placed(request)
            if verb in _CHANGES:
                self._check_permitted(app, cluster)
            asked = {"app": app.name, **checked(request), **arguments.initiator(request)}
            return await self._commands.ask(cluster, verb, asked)

        return handle

    async def sync(self, request: _Arguments) -> Any:
        """Ask for a sync. {name, prune?, dry_run?, resources?, revision?, options?, strategy?, retry_limit?, urgent?} -> the agent's answer.

        `urgent`: it goes through a hold of the site.
        """
        app, cluster = self._placed(request)
        self._check_permitted(app, cluster)
        asked = _sync(request)
        if options := asked.get("options"):
            asked["options"] = _merged(app, options)
        asked |= await self._other_revision(app, cluster, arguments.optional(request, "revision", str) or "")
        return await self._commands.ask(
            cluster, "sync", {"app": app.name, **asked, **arguments.initiator(request)}
        )

    def _check_permitted(self, app: App, cluster: ClusterName) -> None:
        """Refuse what would write objects of an application that its project does not permit (any more)."""
        asked = app.asked(self._fleet.placements.place(app.destination, cluster))
        try:
            self._fleet.projects.permitting(app.project, asked)
        except NotPermitted as error:
            raise RequestRefused(f"application {app.name!r} is not permitted: {error}") from error

    async def _other_revision(self, app: App, cluster: ClusterName, revision: str) -> _Arguments:
        """Return the bundle of a revision that is not the desired one; nothing if it is, the revision where its edge renders it."""
        if self._fleet.renders_at_edge(app):
            return {"revision": revision} if revision else {}
        published = self._generations.get(cluster, app.name)
        at = unpacked_revision(published.last.revision) if published else ""
        if not revision or revision in (at, at[:SHORT_REVISION_CHARS]):
            return {}
        if app.is_automated:
            raise RequestRefused(
                f"application {app.name!r} syncs by itself to {at or 'its newest revision'}, and would go back to that at once: "
                "set spec.source.targetRevision, or turn spec.syncPolicy.automated off first"
            )
        wanted = self._fleet.source_of(app.name)
        if wanted is None:
            raise RequestRefused(f"application {app.name!r} has no source to render")
        asked = {
            "repo_url": wanted.repo_url,
            "source": wanted.source,
            "sources": wanted.sources,
            "context": wanted.context,
            "revision": revision,
        }
        answer = await self._of_renderer(wanted.pool, "render", asked)
        return {"revision": answer["revision"], "digest": answer["digest"]}

    async def refresh(self, request: _Arguments) -> Any:
        """Look at an application again, at its repositories and on its cluster. {name, hard?} -> {app, result, revisions, warnings}.

        What can't be reached is told in `warnings`; refused only if nothing could be.
        """
        app, cluster = self._placed(request)
        hard = arguments.flag(request, "hard")
        told = {"app": app.name, **({"hard": True} if hard else {}), **arguments.initiator(request)}
        failed: list[str] = []
        revisions, answer = await asyncio.gather(
            self._refreshed(app, failed), self._told(cluster, "refresh", told, failed)
        )
        if not revisions and answer is None:
            raise RequestRefused("; ".join(failed))
        said = answer if isinstance(answer, dict) else {}
        return {
            "app": app.name,
            "result": said.get("result") or "refreshed",
            # By the edge that renders it, or by the hub's renderers.
            "revisions": said.get("revisions") or revisions,
            "warnings": [*failed, *(said.get("warnings") or [])],
        }

    async def _refreshed(self, app: App, failed: list[str]) -> dict[str, Any]:
        """Have an application's repositories fetched, unless its edge does that; return what each is at."""
        revisions: dict[str, Any] = {}
        if self._fleet.renders_at_edge(app):
            return revisions
        pool = self._fleet.pool_of(app)
        for url in app.source.urls:
            origin = self._fleet.origins.origin(url)
            try:
                answer = await self._of_renderer(pool, "refresh", {"url": origin.repo_url})
            except (RequestRefused, BusError) as error:
                failed.append(f"repository {origin.repo_url} was not looked at: {error}")
            else:
                revisions[origin.repo_url] = answer.get("revisions")
        return revisions

    async def _told(self, cluster: ClusterName, verb: str, told: _Arguments, failed: list[str]) -> Any:
        try:
            return await self._commands.ask(cluster, verb, told)
        except (RequestRefused, BusError) as error:
            failed.append(str(error))
            return None

    async def _of_renderer(self, pool: str, verb: str, asked: _Arguments) -> _Arguments:
        try:
            answer = await ask(self._connection, render(pool, verb), asked, timeout_s=RENDER_TIMEOUT_S)
        except NoResponders as error:
            raise RequestRefused(f"no renderer of pool {pool!r} is running") from error
        if not isinstance(answer, dict):
            raise BusError(f"the renderers of pool {pool!r} gave no answer that can be read")
        return answer

    def _placed(self, request: _Arguments) -> tuple[App, ClusterName]:
        """Return the application that a request is about and its cluster; RequestRefused if there is none."""
        return self.placed(arguments.app(request))

    def placed(self, name: AppName) -> tuple[App, ClusterName]:
        """Return an application and its cluster; RequestRefused if there is none."""
        app = self._fleet.applications.get(name)
        if app is None:
            raise RequestRefused(f"there is no application {name!r}")
        cluster = self._fleet.placements.of(name)
        if cluster is None:
            raise RequestRefused(f"application {name!r} runs nowhere: its destination is not registered")
        return app, cluster


# Arguments


def _nothing(_request: _Arguments) -> _Arguments:
    return {}


def _flags(request: _Arguments, *names: str) -> _Arguments:
    return {name: True for name in names if arguments.flag(request, name)}


def _sync(request: _Arguments) -> _Arguments:
    asked = {**_flags(request, "prune", "dry_run", "urgent"), **_resources(request)}
    options = arguments.optional(request, "options", list)
    if options:
        asked["options"] = [_option(option) for option in options]
    strategy = arguments.optional(request, "strategy", str) or ""
    if strategy not in ("", "hook", "apply"):
        raise RequestRefused(f"strategy: is hook or apply, not {strategy[:40]!r}")
    if strategy:
        asked["strategy"] = strategy
    limit = arguments.optional(request, "retry_limit", int)
    return {**asked, **({} if limit is None else {"retry_limit": limit})}


def _option(option: object) -> str:
    try:
        return sync_option(option if isinstance(option, str) else "")
    except ValueError as error:
        raise RequestRefused(f"options: {error}") from error


def _merged(app: App, options: list[str]) -> list[str]:
    """Return an application's sync options with those of a request in place of the same ones."""
    policy = app.spec.get("syncPolicy", {})
    of = {option.partition("=")[0]: option for option in (*policy.get("syncOptions", ()), *options)}
    return list(of.values())


def _rollback(request: _Arguments) -> _Arguments:
    number = arguments.optional(request, "id", int)
    if number is None or number < 0:
        raise RequestRefused("id: give the number of an entry of the application's history")
    return {"id": number, **_flags(request, "prune", "dry_run")}


def _resources(request: _Arguments) -> _Arguments:
    resources = arguments.optional(request, "resources", list) or []
    if len(resources) > RESOURCES_MAX:
        raise RequestRefused(f"resources: at most {RESOURCES_MAX} can be named; leave them out for all")
    return {"resources": [arguments.named_object(one, "resources") for one in resources]} if resources else {}


def _any_resource(request: _Arguments) -> _Arguments:
    return {"resource": arguments.resource(request)} if request.get("resource") is not None else {}


def _action(request: _Arguments) -> _Arguments:
    parameters = arguments.optional(request, "parameters", dict)
    action = arguments.text(request, "action")
    return {
        "resource": arguments.resource(request),
        "action": action,
        **({"parameters": parameters} if parameters else {}),
    }
