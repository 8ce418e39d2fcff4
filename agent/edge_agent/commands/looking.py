"""Verbs that look and change nothing: get, status, tree, diff, manifest.

Only objects that are the application's, or descend from one that is, are shown; a Secret's values never.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.applications.bundle import Bundle
from edge_agent.applications.differences import differences, shown
from edge_agent.cluster import ClusterError, Key, Kind, NotFound, Object, Transient, UnknownKind
from edge_agent.commands.arguments import CannotDo, resource, selector, text, texts
from edge_agent.tree import belongs, orphan_warning, resource_tree
from outrider.manifests.mask import masked
from outrider.names import AppName, from_token

if TYPE_CHECKING:
    from edge_agent.applications.state import State
    from edge_agent.applications.surroundings import Surroundings
    from edge_agent.commands.site import Site
    from outrider.messages import Command

ORPHANED = "OrphanedResourceWarning"


def status(command: Command, site: Site) -> None:
    """Send status documents whole: the hub has lost their base."""
    apps = texts(command.arguments, "apps")
    site.resend(None if apps is None else [AppName(from_token(app)) for app in apps])


def get(command: Command, site: Site) -> dict[str, Any]:
    """Return the application's status document."""
    app = site.app(command)
    document = site.applications.document(app)
    if document is None:
        raise CannotDo(f"application {app!r} has no status yet; ask again in a moment")
    return document


async def tree(command: Command, site: Site) -> dict[str, Any]:
    """Return what the application's objects own, and what is orphaned."""
    state, around = site.about(command)
    found = await resource_tree(state, around, site.applications.names())
    if "stale" not in found:
        await warn_of_orphans(site, state.app)
    return found


async def diff(command: Command, site: Site) -> dict[str, Any]:
    """Return where the application, or one resource of it, differs from what is desired."""
    state, around = site.about(command)
    raw = command.arguments.get("resource")
    wanted = None if raw is None else selector(raw).selects
    try:
        return await differences(state, around, wanted)
    except LookupError as error:
        raise CannotDo(str(error.args[0])) from error


async def manifest(command: Command, site: Site) -> dict[str, Any]:
    """Return one resource as it is and as it is desired; a descendant of the application's objects too.

    With `side` live or desired only that one: the hub has the other.
    """
    state, around = site.about(command)
    side = text(command.arguments, "side")
    key = resource(command.arguments)
    desired = await _desired(key, state, around)
    found: dict[str, Any] = {}
    live: Object | None = None
    try:
        live = await live_of(key, state, around)
    except Transient as error:
        found["message"] = str(error)
    except CannotDo:
        if desired is None:
            raise
    # Together, also where one is left out: that two values differ can be told from either.
    sides = dict(zip(("desired", "live"), map(shown, masked(desired, live)), strict=True))
    return {name: one for name, one in sides.items() if side in ("", name)} | found


async def live_of(key: Key, state: State, around: Surroundings) -> Object:
    """Return a live object that is the application's. Raises `CannotDo`, and `Transient`."""
    nobody = CannotDo(f"application {state.app!r} has no {key} on this cluster")
    kind = await _kind(key, state, around)
    if kind is None:
        raise nobody
    try:
        live = await around.cluster.get(kind, key)
    except (NotFound, UnknownKind):
        raise nobody from None
    except Transient:
        raise
    except ClusterError as error:
        raise CannotDo(str(error)) from error
    # The same answer as for one that isn't there: what others run is nobody's business.
    if not await belongs(state.app, live, around.cluster):
        raise nobody
    return live


async def warn_of_orphans(site: Site, app: str) -> None:
    """Set or clear the condition that tells of orphaned resources."""
    state, around = site.applications.about(app)
    try:
        message = await orphan_warning(state, around, site.applications.names())
    except Transient:
        return
    site.applications.note(app, ORPHANED, message)


async def _desired(key: Key, state: State, around: Surroundings) -> Object | None:
    if state.index is None or key not in state.index.entries:
        return None
    async with Bundle(state, around) as bundle:
        return (await bundle.manifests()).get(key)


async def _kind(key: Key, state: State, around: Surroundings) -> Kind | None:
    """Return the version in which to speak of a kind: the desired one, or the one that the server prefers."""
    if state.index is not None and key in state.index.entries:
        return state.index.entries[key].kind
    live = around.inventory.get(key)
    if live is not None:
        return live.kind
    kinds = (one.kind for one in await around.cluster.discovery.everything())
    return next((kind for kind in kinds if (kind.group, kind.kind) == (key.group, key.kind)), None)
