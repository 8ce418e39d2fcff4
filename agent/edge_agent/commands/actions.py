"""Verbs that do what a kind's own scripts offer: actions (which there are) and action (run one).

The scripts are the hub's (`resource.customizations.actions` of Argo CD's settings) and the built-in ones; they
compute, in their sandbox, the object as it is to be and objects to create. What they want written is written
here: the object itself as a patch of what the script changed, any other only where it comes into being.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.cluster import ClusterError, Key, Kind, NotFound, Object, Transient, key_of, kind_of
from edge_agent.commands.arguments import CannotDo, resource, text
from edge_agent.commands.looking import live_of
from edge_agent.diff.merge import merge_patch
from edge_agent.sync.project import Project

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.applications.state import State
    from edge_agent.applications.surroundings import Surroundings
    from edge_agent.commands.site import Site
    from edge_agent.health.actions import Change
    from outrider.messages import Command

# Apart from the applying manager: a field that an action set is not one that left the desired object.
MANAGER = "outrider-action"


async def actions(command: Command, site: Site) -> list[dict[str, Any]]:
    """Return `[{"name", "disabled", "displayName"?, "params"?}]` of a resource."""
    from edge_agent.health.actions import ActionRefused, discover  # only here: they cost memory

    state, around = site.about(command)
    live = await live_of(resource(command.arguments), state, around)
    try:
        return discover(live, around.site)
    except ActionRefused as error:
        raise CannotDo(str(error)) from error


async def action(command: Command, site: Site) -> dict[str, Any]:
    """Run an action; return `{"result": [what was done]}`."""
    from edge_agent.health.actions import ActionRefused, run  # as above

    name, parameters = text(command.arguments, "action"), _parameters(command.arguments)
    state, around = site.about(command)
    live = await live_of(resource(command.arguments), state, around)
    try:
        changes = run(live, name, parameters, around.site)
    except ActionRefused as error:
        raise CannotDo(str(error)) from error
    return {"result": [await _write(change, live, state, around) for change in changes]}


def _parameters(arguments: Mapping[str, Any]) -> dict[str, str]:
    given = arguments.get("parameters") or {}
    if not isinstance(given, dict):
        raise CannotDo("parameters must be a map of names to texts")
    return {str(name): str(value) for name, value in given.items()}


async def _write(change: Change, live: Object, state: State, around: Surroundings) -> str:
    wanted = change.resource
    key, kind = key_of(wanted), kind_of(wanted)
    refusal = Project.of(state.desired.spec if state.desired else {}).refusal(key)
    if refusal:
        raise CannotDo(f"the action wants to write {key}: {refusal}")
    try:
        if change.operation == "create":
            made = await around.cluster.create(kind, key, wanted, manager=MANAGER)
            return f"{key_of(made.object)} created"
        patch = merge_patch(live, wanted)
        if not patch:
            return f"{key} unchanged"
        await _patch(kind, key, patch, around)
    except Transient:
        raise
    except ClusterError as error:
        raise CannotDo(f"{key} was not {_DONE[change.operation]}: {error.why}") from error
    return f"{key} patched"


async def _patch(kind: Kind, key: Key, patch: dict[str, Any], around: Surroundings) -> None:
    """Patch an object, its status apart where its kind has it apart: there the server ignores it else."""
    status = patch.pop("status", None)
    if status is not None:
        try:
            about = {"status": status}
            await around.cluster.patch(kind, key, about, manager=MANAGER, subresource="status")
        except NotFound:
            patch["status"] = status
    if patch:
        await around.cluster.patch(kind, key, patch, manager=MANAGER)


_DONE = {"create": "created", "patch": "changed"}
