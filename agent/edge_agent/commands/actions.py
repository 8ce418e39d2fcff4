"""Verbs that do what a kind's own scripts offer: actions (which there are) and action (run one).

The scripts are the hub's (`resource.customizations.actions` of Argo CD's settings) and the built-in ones; they
compute, in their sandbox, the object as it is to be and objects to create. What they want written is written
here: the object itself as a patch of what the script changed, another object only where it is the
application's or comes into being.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.cluster import ClusterError, NotFound, Object, Transient, key_of, kind_of
from edge_agent.commands.arguments import CannotDo, resource, text
from edge_agent.commands.looking import live_of
from edge_agent.diff.merge import merge_patch
from edge_agent.sync import tracked_to
from edge_agent.sync.project import Project

if TYPE_CHECKING:
    from edge_agent.applications.state import State
    from edge_agent.applications.surroundings import Surroundings
    from edge_agent.commands.site import Site
    from outrider.messages import Command

# Apart from the applying manager: a field that an action set is not one that left the desired object.
MANAGER = "outrider-action"


async def actions(command: Command, site: Site) -> list[dict[str, Any]]:
    """Return `[{"name", "disabled"}]` of a resource."""
    from edge_agent.health.actions import discover  # imported where a script is run: it costs memory

    state, around = site.about(command)
    live = await live_of(resource(command.arguments), state, around)
    found: list[dict[str, Any]] = discover(live, around.site)
    return found


async def action(command: Command, site: Site) -> dict[str, Any]:
    """Run an action; return `{"result": [what was done]}`."""
    from edge_agent.health.actions import run  # as above

    name = text(command.arguments, "action")
    state, around = site.about(command)
    live = await live_of(resource(command.arguments), state, around)
    wanted = run(live, name, around.site)
    done = [await _write(one, live, state, around) for one in wanted]
    return {"result": done}


async def _write(wanted: Object, live: Object, state: State, around: Surroundings) -> str:
    key, kind = key_of(wanted), kind_of(wanted)
    if not key.name:
        raise CannotDo(f"the action wants to write a {key.kind or 'thing'} without a name")
    refusal = Project.of(state.desired.spec if state.desired else {}).refusal(key)
    if refusal:
        raise CannotDo(f"the action wants to write {key}: {refusal}")
    try:
        before = live if key == key_of(live) else await around.cluster.get(kind, key)
    except NotFound:
        await around.cluster.create(kind, key, wanted, manager=MANAGER)
        return f"{key} created"
    if before is not live and tracked_to(before) != state.app:
        raise CannotDo(f"the action wants to write {key}, which is not this application's")
    patch = merge_patch(before, wanted)
    if not patch:
        return f"{key} unchanged"
    try:
        await around.cluster.patch(kind, key, patch, manager=MANAGER)
    except Transient:
        raise
    except ClusterError as error:
        raise CannotDo(f"{key} was not changed: {error.why}") from error
    return f"{key} patched"
