"""Verbs that ask something of what is rendered here: another revision, and a look at Git."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edge_agent.commands.arguments import CannotDo, texts
from edge_agent.rendering.orders import SHORT_CHARS
from edge_agent.rendering.requests import CannotRender

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.applications import Sync
    from edge_agent.commands.site import Site
    from edge_agent.rendering.requests import Requests
    from outrider.messages import Command

WITHIN_MAX_S = 600.0


def fetch(command: Command, site: Site) -> dict[str, int]:
    """Look at repositories, each at a moment of its own within a time: the hub has heard that they moved."""
    urls = texts(command.arguments, "urls") or ()
    within_s = _seconds(command.arguments)
    return {"repositories": site.rendering.fetch(urls, within_s) if site.rendering is not None else 0}


def is_elsewhere(operation: Sync, desired: str) -> bool:
    """Say whether a sync is of another revision than the desired one, whose bundle nobody has named."""
    return not operation.digest and operation.revision not in ("", desired, desired[:SHORT_CHARS])


async def rendered(operation: Sync, app: str, requests: Requests) -> Sync:
    """Return a sync with the bundle of its revision, rendered here. Raises `CannotDo`."""
    try:
        revision, digest = await requests.at(app, operation.revision)
    except CannotRender as error:
        raise CannotDo(str(error)) from error
    return replace(operation, revision=revision, digest=digest)


def _seconds(arguments: Mapping[str, Any]) -> float:
    value = arguments.get("within_s") or 0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= WITHIN_MAX_S:
        raise CannotDo(f"within_s must be a number of seconds up to {WITHIN_MAX_S:g}")
    return float(value)
