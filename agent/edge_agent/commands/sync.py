"""Verbs that ask something of an application: sync, rollback, refresh, terminate, approve.

They are answered when the request is taken in (it outlives the agent from then on), not when it is done: the
status document tells that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edge_agent.applications import Approve, Refresh, RequestRefused, Rollback, Sync, Terminate
from edge_agent.commands.arguments import CannotDo, flag, number, selectors, text, texts
from edge_agent.commands.looking import warn_of_orphans
from edge_agent.commands.rendering import is_elsewhere, rendered

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from edge_agent.applications import Operation
    from edge_agent.applications.requests import Strategy
    from edge_agent.commands.site import Site
    from edge_agent.rendering.requests import Requests
    from outrider.messages import Command

DIGEST_BYTES = 32


def sync(command: Command, site: Site) -> dict[str, str] | Coroutine[Any, Any, dict[str, str]]:
    """Sync, with everything that may be said about how; of another revision once that is rendered, where that is done here."""
    arguments = command.arguments
    digest = arguments.get("digest") or b""
    if not isinstance(digest, bytes) or len(digest) not in (0, DIGEST_BYTES):
        raise CannotDo(f"digest must be {DIGEST_BYTES} bytes")
    operation = Sync(
        id=command.request_id,
        prune=flag(arguments, "prune"),
        dry_run=flag(arguments, "dry_run"),
        resources=selectors(arguments),
        initiated_by=text(arguments, "initiated_by"),
        revision=text(arguments, "revision"),
        digest=digest,
        options=texts(arguments, "options"),
        strategy=_strategy(arguments),
        retry_limit=number(arguments, "retry_limit"),
        despite_hold=flag(arguments, "urgent"),
    )
    app = site.app(command)
    requests = site.renders(app)
    if requests is None:
        return _request(command, site, operation)
    desired = (site.applications.document(app) or {}).get("sync", {}).get("revision", "")
    if is_elsewhere(operation, desired):
        return _rendered_first(command, site, operation, requests)
    return _request(command, site, replace(operation, revision="", digest=b""))


async def _rendered_first(
    command: Command, site: Site, operation: Sync, requests: Requests
) -> dict[str, str]:
    return _request(command, site, await rendered(operation, site.app(command), requests))


def rollback(command: Command, site: Site) -> dict[str, str]:
    """Sync what a history entry says was synced then."""
    arguments = command.arguments
    operation = Rollback(
        id=command.request_id,
        history_id=number(arguments, "id"),
        prune=flag(arguments, "prune"),
        dry_run=flag(arguments, "dry_run"),
        initiated_by=text(arguments, "initiated_by"),
        despite_hold=flag(arguments, "urgent"),
    )
    return _request(command, site, operation)


def terminate(command: Command, site: Site) -> dict[str, str]:
    """End the sync under way."""
    return _request(command, site, Terminate(text(command.arguments, "initiated_by")))


def approve(command: Command, site: Site) -> dict[str, str]:
    """Confirm deletions that wait for that."""
    operation = Approve(text(command.arguments, "initiated_by"), selectors(command.arguments))
    return _request(command, site, operation)


def refresh(command: Command, site: Site) -> Coroutine[Any, Any, dict[str, Any]]:
    """Look again: at its repositories where it is rendered here, and for orphaned resources where the project asks for that."""
    app = text(command.arguments, "app")
    requests = site.renders(app)
    if requests is not None and app not in site.applications.names():
        # It waits for its first rendering.
        return _looked(app, requests)
    return _refreshed(_request(command, site, Refresh(flag(command.arguments, "hard"))), site, requests)


async def _refreshed(answer: dict[str, Any], site: Site, requests: Requests | None) -> dict[str, Any]:
    found = await requests.refresh(answer["app"]) if requests is not None else {}
    await warn_of_orphans(site, answer["app"])
    return answer | found


async def _looked(app: str, requests: Requests) -> dict[str, Any]:
    return {"app": app, "result": "started", **await requests.refresh(app)}


def _strategy(arguments: Mapping[str, Any]) -> Strategy:
    match text(arguments, "strategy"):
        case ("" | "hook" | "apply") as strategy:
            return strategy
        case other:
            raise CannotDo(f"strategy must be hook or apply, not {other!r}")


def _request(command: Command, site: Site, operation: Operation) -> dict[str, Any]:
    app = site.app(command)
    try:
        site.applications.request(app, operation)
    except RequestRefused as error:
        raise CannotDo(str(error)) from error
    return {"app": app, "result": "started"}
