"""Argo CD's `argocd-cm` (a ConfigMap) as the settings of clusters: health and actions in Lua, differences that are ignored.

Keys: argo-cd `docs/operator-manual/argocd-cm.yaml`, `docs/operator-manual/health.md`, `docs/user-guide/diffing.md`. The result
is what an agent gets (it reads no YAML): group and kind as `<group>/<Kind>`, core kinds as `/<Kind>`. Every key that has
no effect here is said to have none.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from outrider.rendering.kubeyaml import Bounds, InvalidDocument, read_yaml
from outrider.spec.application import JqPath, JsonPointer
from outrider.spec.model import Model
from outrider.spec.problems import problems

CONFIG_MAP = "argocd-cm"
KEPT_PREFIX = "resource."
_SPLIT = "resource.customizations."
_BOUNDS = Bounds(max_bytes=256 << 10, max_depth=32, max_weight=1 << 20)
_LUA_MAX_CHARS = 64 << 10
ALL_KINDS = "*/*"
_CRD = "apiextensions.k8s.io/CustomResourceDefinition"
_CLUSTER_ROLE = "rbac.authorization.k8s.io/ClusterRole"
_AGGREGATED_RULES = "if .aggregationRule then .rules else empty end"

_LEGACY_NAMES = {"health.lua": "health", "health.lua.useOpenLibs": "useOpenLibs"}
_WITHOUT_EFFECT = {
    "ignoreResourceUpdates": "an agent looks only at what its applications consist of, and skips what changes nothing",
    "knownTypeFields": "what a server writes differently is found out by asking it",
}
_WITHOUT_EFFECT_KEYS = {
    "resource.exclusions": "an agent watches only the kinds that its applications use; leave others out of the source",
    "resource.inclusions": "an agent watches only the kinds that its applications use; leave others out of the source",
    "application.resourceTrackingMethod": "objects carry both the annotation and a label of Outrider's own",
    "application.instanceLabelKey": "objects carry both the annotation and a label of Outrider's own",
    "timeout.reconciliation": "repositories are polled by the renderer: set OUTRIDER_POLL there",
}


@dataclass
class Customisations:
    """What was found: the spec for agents, and what its author should know."""

    spec: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def rule(self, part: str, kind: str) -> dict[str, Any]:
        """Return the rule of a kind in a part of the spec, to be filled in."""
        found: dict[str, Any] = self.spec.setdefault(part, {}).setdefault(kind, {})
        return found


class _Differences(Model):
    json_pointers: list[JsonPointer] = Field(default=[], alias="jsonPointers", max_length=256)
    jq_path_expressions: list[JqPath] = Field(default=[], alias="jqPathExpressions", max_length=256)
    managed_fields_managers: list[str] = Field(default=[], max_length=256)


class _Definition(BaseModel):
    model_config = ConfigDict(extra="ignore")
    # What Argo CD's page shows of an action (its icon, its text) is left out.

    name: str = Field(min_length=1, max_length=256)
    lua: str = Field(alias="action.lua", max_length=_LUA_MAX_CHARS)


class _Actions(BaseModel):
    model_config = ConfigDict(extra="forbid")

    discovery: str = Field(default="", alias="discovery.lua", max_length=_LUA_MAX_CHARS)
    definitions: list[_Definition] = Field(default=[], max_length=64)
    merge_builtin: bool = Field(default=False, alias="mergeBuiltinActions")


class _CompareOptions(Model):
    ignore_aggregated_roles: bool = False
    ignore_resource_status_field: Literal["crd", "all", "none", "off", "false", ""] | bool = ""
    ignore_differences_on_resource_updates: bool = False


def customisations(data: dict[str, str]) -> Customisations:
    """Return the settings in a ConfigMap's data; `problems` is empty if it can be taken."""
    found = Customisations()
    for key, text in sorted(data.items()):
        if key == "resource.customizations":
            _legacy(found, text)
        elif key.startswith(_SPLIT):
            _split(found, key, text)
        elif key == "resource.compareoptions":
            _compare_options(found, key, text)
        else:
            why = _WITHOUT_EFFECT_KEYS.get(key, "Outrider has no such setting")
            found.warnings.append(f"data[{key}]: has no effect: {why}")
    _drop_empty(found)
    return found


def _drop_empty(found: Customisations) -> None:
    health = found.spec.get("health", {})
    for kind in [kind for kind, rule in health.items() if "lua" not in rule]:
        del health[kind]
        found.warnings.append(f"useOpenLibs of {kind}: has no effect: there is no health script beside it")
    found.spec = {part: rules for part, rules in found.spec.items() if rules}


def _split(found: Customisations, key: str, text: str) -> None:
    """Take `resource.customizations.<what>.<group>_<kind>`."""
    what, _, place = key.removeprefix(_SPLIT).partition(".")
    kind = _kind(place)
    if kind is None:
        found.problems.append(
            f"data[{key}]: ends in {place!r}: write <group>_<Kind>, or <Kind> for core kinds"
        )
    else:
        _take(found, f"data[{key}]", what, kind, text)


def _legacy(found: Customisations, text: str) -> None:
    """Take the block of all kinds, whose values are texts in themselves."""
    at = "data[resource.customizations]"
    block = _yaml(found, at, text)
    for place, parts in (block or {}).items():
        if not isinstance(parts, dict):
            found.problems.append(f"{at}.{place}: must be a map")
            continue
        kind = place if "/" in place else f"/{place}"
        for name, value in parts.items():
            what = _LEGACY_NAMES.get(str(name), str(name))
            shown = str(value).lower() if isinstance(value, bool) else value
            if isinstance(shown, str):
                _take(found, f"{at}.{place}.{name}", what, kind, shown)
            else:
                found.problems.append(f"{at}.{place}.{name}: must be a text")


def _take(found: Customisations, at: str, what: str, kind: str, text: str) -> None:
    if what in _WITHOUT_EFFECT:
        found.warnings.append(f"{at}: has no effect: {_WITHOUT_EFFECT[what]}")
    elif what in _TAKE:
        _TAKE[what](found, at, kind, text)
    else:
        found.problems.append(
            f"{at}: {what!r} is no customisation: health, useOpenLibs, actions, ignoreDifferences"
        )


def _health(found: Customisations, at: str, kind: str, text: str) -> None:
    if len(text) > _LUA_MAX_CHARS:
        found.problems.append(f"{at}: has more than {_LUA_MAX_CHARS} characters")
    found.rule("health", kind)["lua"] = text


def _open_libs(found: Customisations, at: str, kind: str, text: str) -> None:
    if text not in ("true", "false"):
        found.problems.append(f"{at}: is 'true' or 'false', not {text[:40]!r}")
    if text == "true":
        found.rule("health", kind)["openLibs"] = True


def _actions(found: Customisations, at: str, kind: str, text: str) -> None:
    read = _model(found, at, text, _Actions)
    if not isinstance(read, _Actions):
        return
    definitions = [{"name": one.name, "lua": one.lua} for one in read.definitions]
    rule = found.rule("actions", kind)
    rule.update(discovery=read.discovery, definitions=definitions)
    if read.merge_builtin:
        rule["mergeBuiltinActions"] = True


def _differences(found: Customisations, at: str, kind: str, text: str) -> None:
    read = _model(found, at, text, _Differences)
    if isinstance(read, _Differences):
        _ignore(found, kind, **read.model_dump(by_alias=True, exclude_defaults=True))


def _ignore(found: Customisations, kind: str, **parts: list[str]) -> None:
    rule = found.rule("ignoreDifferences", kind)
    for name, values in parts.items():
        rule[name] = [*rule.get(name, []), *(value for value in values if value not in rule.get(name, []))]


_TAKE: dict[str, Callable[[Customisations, str, str, str], None]] = {
    "health": _health,
    "useOpenLibs": _open_libs,
    "actions": _actions,
    "ignoreDifferences": _differences,
}


def _compare_options(found: Customisations, key: str, text: str) -> None:
    read = _model(found, f"data[{key}]", text, _CompareOptions)
    if not isinstance(read, _CompareOptions):
        return
    if read.ignore_aggregated_roles:
        _ignore(found, _CLUSTER_ROLE, jqPathExpressions=[_AGGREGATED_RULES])
    if read.ignore_resource_status_field == "all":
        _ignore(found, ALL_KINDS, jsonPointers=["/status"])
    elif read.ignore_resource_status_field == "crd":
        _ignore(found, _CRD, jsonPointers=["/status"])
    if read.ignore_differences_on_resource_updates:
        why = _WITHOUT_EFFECT["ignoreResourceUpdates"]
        found.warnings.append(f"data[{key}].ignoreDifferencesOnResourceUpdates: has no effect: {why}")


def _model(found: Customisations, at: str, text: str, model: type[BaseModel]) -> BaseModel | None:
    read = _yaml(found, at, text)
    if read is None:
        return None
    try:
        return model.model_validate(read)
    except ValidationError as error:
        found.problems += problems(error, model, at)
        return None


def _yaml(found: Customisations, at: str, text: str) -> dict[str, Any] | None:
    try:
        documents = list(read_yaml(text.encode(), _BOUNDS))
    except InvalidDocument as error:
        found.problems.append(f"{at}: {error}")
        return None
    if not documents:
        return {}
    if len(documents) > 1 or not isinstance(documents[0].value, dict):
        found.problems.append(f"{at}: must be one YAML map")
        return None
    value: dict[str, Any] = documents[0].value
    return value


def _kind(place: str) -> str | None:
    """Return `<group>/<Kind>` for `<group>_<Kind>`, `<Kind>` or `all`."""
    if place == "all":
        return ALL_KINDS
    group, underscore, kind = place.rpartition("_")
    if not kind or "_" in group or (underscore and not group):
        return None
    return f"{group}/{kind}"
