"""What a person may do to one object beyond what Git says: restart it, suspend it, run it once.

The cluster's settings have actions by kind, as scripts in Lua with Argo CD's contract: a discovery script that
returns a map of actions, and one script per action that returns the object as it is to be, or a list of
`{operation: create|patch, resource}`. They take the place of the agent's own actions of that kind; with
`mergeBuiltinActions` they go before them.

Pure: an action computes what is to be written, and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from edge_agent.health.built_in_actions import CantAct, Offer, built_in_actions
from edge_agent.health.by_kind import ByKind
from edge_agent.health.lua import Script, ScriptFailed
from edge_agent.health.lua_values import mend

Object = dict[str, Any]
Clock = Callable[[], datetime]

# Where an empty table of a script's can only be a map.
_MAPS: Object = {
    "metadata": {"annotations": {}, "labels": {}},
    "spec": {},
    "status": {},
    "data": {},
    "stringData": {},
}


class ActionRefused(Exception):
    """The action can't be done; the message is a sentence for the person who asked."""


class ActionSettings(Protocol):
    """What is read of the cluster's settings."""

    @property
    def actions(self) -> Mapping[str, Mapping[str, Any]]:
        """By `<group>/<Kind>`: `{"discovery": lua, "definitions": [{"name", "lua"}], "mergeBuiltinActions"?,
        "openLibs"?}`.
        """


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to be written."""

    operation: Literal["create", "patch"]
    resource: Object
    """The object as it is to be; for a patch, the one that was acted on."""


def discover(live: Mapping[str, Any], settings: ActionSettings) -> list[dict[str, Any]]:
    """Return the actions of an object, by name: `[{"name", "disabled", "displayName"?, "params"?}]`. Raises
    `ActionRefused` when a script fails.
    """
    return [_said(offer) for _, offer in sorted(_offers(live, settings).items())]


def run(
    live: Mapping[str, Any],
    name: str,
    parameters: Mapping[str, str],
    settings: ActionSettings,
    clock: Clock = lambda: datetime.now(UTC),
) -> list[Change]:
    """Return what an action wants written. Raises `ActionRefused`."""
    what = f"{live.get('kind')} {(live.get('metadata') or {}).get('name')}"
    offers = _offers(live, settings)
    if name not in offers:
        raise ActionRefused(f"{what} has no action {name}; it has: {', '.join(sorted(offers)) or 'none'}")
    if offers[name].disabled:
        raise ActionRefused(f"{what}: {name} can't be done in the state that it is in")
    script = _scripts(live, settings).get(name)
    if script is not None:
        return _by_script(script, live, parameters)
    action = built_in_actions(*_sort(live)).get(name)
    if action is None or _replaces(_entry(live, settings)):
        raise ActionRefused(f"{what}: the cluster's settings have no script for the action {name}")
    try:
        operation, resource = action.act(live, parameters, clock())
    except CantAct as error:
        raise ActionRefused(f"{what}: {error}") from error
    return [Change(operation, resource)]


def _offers(live: Mapping[str, Any], settings: ActionSettings) -> dict[str, Offer]:
    entry = _entry(live, settings)
    offers: dict[str, Offer] = {}
    if not _replaces(entry):
        for name, action in built_in_actions(*_sort(live)).items():
            offer = action.offer(live)
            if offer is not None:
                offers[name] = offer
    if entry is not None:
        offers |= _discovered(live, entry)
    return offers


def _replaces(entry: Mapping[str, Any] | None) -> bool:
    """Say whether a kind's scripts stand in the place of the agent's own actions."""
    return entry is not None and entry.get("mergeBuiltinActions") is not True


def _discovered(live: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Offer]:
    source = entry.get("discovery")
    if not isinstance(source, str) or not source.strip():
        return {}
    script = Script(f"action discovery of {live.get('kind')}", source, entry.get("openLibs") is True)
    try:
        found = script.run(live)
    except ScriptFailed as error:
        raise ActionRefused(str(error)) from error
    if not isinstance(found, dict):
        if found in (None, []):
            return {}
        raise ActionRefused(f"{script.name}: returned no table of actions")
    return {name: _offer(name, said) for name, said in found.items()}


def _offer(name: str, said: Any) -> Offer:
    about = said if isinstance(said, dict) else {}
    display, params = about.get("displayName"), about.get("params")
    return Offer(
        name,
        disabled=about.get("disabled") is True,
        display_name=display if isinstance(display, str) else "",
        parameters=tuple(
            (str(one.get("name")), str(one.get("default") or "")) for one in params if isinstance(one, dict)
        )
        if isinstance(params, list)
        else (),
    )


def _scripts(live: Mapping[str, Any], settings: ActionSettings) -> dict[str, Script]:
    entry = _entry(live, settings) or {}
    found: dict[str, Script] = {}
    for one in entry.get("definitions") or ():
        if isinstance(one, Mapping) and isinstance(one.get("lua"), str):
            name = str(one.get("name"))
            found[name] = Script(
                f"action {name} of {live.get('kind')}", one["lua"], entry.get("openLibs") is True
            )
    return found


def _by_script(script: Script, live: Mapping[str, Any], parameters: Mapping[str, str]) -> list[Change]:
    try:
        found = script.run(live, parameters)
    except ScriptFailed as error:
        raise ActionRefused(str(error)) from error
    if isinstance(found, dict):
        return [_patched(script, found, live)]
    if not isinstance(found, list):
        raise ActionRefused(f"{script.name}: returned no object")
    return [_change(script, one, live) for one in found]


def _change(script: Script, one: Any, live: Mapping[str, Any]) -> Change:
    match one:
        case {"operation": "patch", "resource": dict(resource)}:
            return _patched(script, resource, live)
        case {"operation": "create", "resource": dict(resource)}:
            return _created(script, resource)
    raise ActionRefused(f"{script.name}: wants something other than to create or to patch an object")


def _patched(script: Script, resource: Object, live: Mapping[str, Any]) -> Change:
    if _identity(resource) != _identity(live):
        raise ActionRefused(f"{script.name}: wants to patch another object than the one that it was run on")
    return Change("patch", mend(resource, dict(live)))


def _created(script: Script, resource: Object) -> Change:
    metadata = resource.get("metadata")
    named = isinstance(metadata, dict) and (metadata.get("name") or metadata.get("generateName"))
    if not named or not resource.get("kind") or not resource.get("apiVersion"):
        raise ActionRefused(f"{script.name}: wants to create an object without apiVersion, kind or name")
    return Change("create", mend(resource, _MAPS))


def _identity(found: Mapping[str, Any]) -> tuple[object, ...]:
    metadata = found.get("metadata")
    named = metadata if isinstance(metadata, Mapping) else {}
    return found.get("apiVersion"), found.get("kind"), named.get("name"), named.get("namespace")


def _said(offer: Offer) -> dict[str, Any]:
    said: dict[str, Any] = {"name": offer.name, "disabled": offer.disabled}
    if offer.display_name:
        said["displayName"] = offer.display_name
    if offer.parameters:
        said["params"] = [
            {"name": name, "default": default} if default else {"name": name}
            for name, default in offer.parameters
        ]
    return said


def _entry(live: Mapping[str, Any], settings: ActionSettings) -> Mapping[str, Any] | None:
    return ByKind(settings.actions).find(*_sort(live))


def _sort(live: Mapping[str, Any]) -> tuple[str, str]:
    return str(live.get("apiVersion") or "").rpartition("/")[0], str(live.get("kind") or "")
