"""From a bundle's manifests to what is wanted on this cluster: named, placed, tracked, in order. Pure.

What differs per cluster and application (destination namespace, tracking) is added here, so that a thousand
clusters share one bundle. A manifest that can't be anything (no kind, no name, the same object twice) is a
problem with a name, and keeps no other object from being prepared.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge_agent.cluster.names import Key, Kind, Object, kind_of
from edge_agent.diff.ignore import ignored
from edge_agent.diff.owned import digest
from edge_agent.diff.projection import SERVER_METADATA
from edge_agent.sync import options, order, tracking

if TYPE_CHECKING:
    from edge_agent.sync.options import Options
    from edge_agent.sync.policy import Policy

Scope = Callable[[Kind], bool | None]
"""Says whether a kind is namespaced; None: the cluster doesn't serve it."""

HOOK = "argocd.argoproj.io/hook"
HELM_HOOK = "helm.sh/hook"
# Hooks that a sync never runs: Argo CD's way of leaving an object out, and Helm's tests and rollbacks.
_NEVER_RUN = frozenset({"Skip", "test", "test-success", "test-failure", "pre-rollback", "post-rollback"})


@dataclass(frozen=True, slots=True)
class Entry:
    """What is remembered of a desired object while its manifest isn't in memory."""

    key: Key
    kind: Kind
    digest: bytes
    wave: int = 0
    options: Options = field(default_factory=dict)
    hook: str = ""
    needs: tuple[Key, ...] = ()
    """Objects of the same application that must be there first: its namespace, its definition."""

    @property
    def place(self) -> tuple[int, int, str, str]:
        """Where the object stands in the order of a sync."""
        return self.wave, order.rank(self.key.kind), self.key.name, self.key.namespace


@dataclass(frozen=True, slots=True)
class Problem:
    """A manifest that is no object; `kind` and `key` hold what could be read of it, `what` names it."""

    kind: Kind
    key: Key
    what: str
    message: str

    def __str__(self) -> str:
        return f"{self.what}: {self.message}"


@dataclass(frozen=True, slots=True)
class Prepared:
    """An application's desired objects, in order; `manifests` by key, ready to be applied."""

    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]
    repeated: tuple[Key, ...]
    manifests: Mapping[Key, Object]


def prepare(app: str, manifests: Iterable[Object], policy: Policy, scope: Scope) -> Prepared:
    """Prepare an application's manifests as its policy says. Of the same object twice the later one
    counts.
    """
    whole = list(_flat(manifests))
    defined = _definitions(whole)
    problems: list[Problem] = []
    repeated: dict[Key, None] = {}
    found: dict[Key, tuple[Kind, Object]] = {}
    for position, manifest in enumerate(whole):
        kind, problem = kind_of(manifest), _problem(position, manifest)
        if problem:
            problems.append(problem)
            continue
        key, placed = _place(manifest, kind, policy.namespace, scope, defined)
        if key in found:
            repeated[key] = None
        found[key] = (kind, tracking.tracked(placed, app, key))
    entries = _entries(found, defined, policy)
    ready = {entry.key: found[entry.key][1] for entry in entries}
    return Prepared(entries, tuple(problems), tuple(repeated), ready)


def kinds_in(manifests: Iterable[Object]) -> set[Kind]:
    """Return the kinds that are spoken of, for the caller to learn their scope."""
    return {kind for manifest in _flat(manifests) if (kind := kind_of(manifest)).kind and kind.version}


def _flat(manifests: Iterable[Object]) -> Iterable[Object]:
    """Yield manifests, those inside a `List` one by one."""
    for manifest in manifests:
        if str(manifest.get("kind") or "").endswith("List") and isinstance(manifest.get("items"), list):
            yield from _flat(manifest["items"])
        else:
            yield manifest


def _problem(position: int, manifest: Object) -> Problem | None:
    kind, metadata = kind_of(manifest), _map(manifest.get("metadata"))
    name = str(metadata.get("name") or "")
    message = _fault(kind, name, metadata)
    if not message:
        return None
    what = f"{kind.kind or 'object'} {name or f'number {position + 1} of the bundle'}"
    key = Key(kind.group, kind.kind, str(metadata.get("namespace") or ""), name)
    return Problem(kind, key, what, message)


def _fault(kind: Kind, name: str, metadata: Mapping[str, Any]) -> str:
    if not kind.version:
        return "apiVersion is missing"
    if not kind.kind:
        return "kind is missing"
    if not name:
        return "metadata.name is missing"
    for part in ("annotations", "labels"):
        if not isinstance(metadata.get(part), Mapping | None):
            return f"metadata.{part} must be a map"
    return ""


def _place(
    manifest: Object, kind: Kind, namespace: str, scope: Scope, defined: Mapping[tuple[str, str], Definition]
) -> tuple[Key, Object]:
    """Give an object its namespace, or take it away from one that can't have any."""
    definition = defined.get((kind.group, kind.kind))
    served = scope(kind)
    namespaced = served if served is not None else definition.namespaced if definition else True
    metadata = {name: value for name, value in manifest["metadata"].items() if name not in SERVER_METADATA}
    place = str(metadata.pop("namespace", None) or namespace) if namespaced else ""
    if not namespaced:
        metadata.pop("namespace", None)
    if place:
        metadata["namespace"] = place
    return Key(kind.group, kind.kind, place, str(metadata["name"])), _settled(
        {**manifest, "metadata": metadata}
    )


def _settled(manifest: Object) -> Object:
    """Write a Secret's `stringData` as the `data` it becomes: what is owned is then what is stored, and
    drift is seen.
    """
    plain = manifest.get("stringData")
    if (
        manifest.get("kind") != "Secret"
        or manifest.get("apiVersion") != "v1"
        or not isinstance(plain, Mapping)
    ):
        return manifest
    if not all(isinstance(value, str) for value in plain.values()):
        return manifest
    encoded = {name: base64.b64encode(value.encode()).decode() for name, value in plain.items()}
    rest = {name: value for name, value in manifest.items() if name != "stringData"}
    return {**rest, "data": {**(manifest.get("data") or {}), **encoded}}


@dataclass(frozen=True, slots=True)
class Definition:
    """A CustomResourceDefinition of the bundle itself."""

    key: Key
    namespaced: bool


def _definitions(manifests: Iterable[Object]) -> dict[tuple[str, str], Definition]:
    """Return the kinds that the bundle brings with it, by group and kind."""
    found = {}
    for manifest in manifests:
        if manifest.get("kind") != "CustomResourceDefinition":
            continue
        spec, metadata = _map(manifest.get("spec")), _map(manifest.get("metadata"))
        kind = str(_map(spec.get("names")).get("kind") or "")
        key = Key("apiextensions.k8s.io", "CustomResourceDefinition", "", str(metadata.get("name") or ""))
        found[str(spec.get("group") or ""), kind] = Definition(key, spec.get("scope") != "Cluster")
    return found


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _entries(
    found: Mapping[Key, tuple[Kind, Object]], defined: Mapping[tuple[str, str], Definition], policy: Policy
) -> tuple[Entry, ...]:
    needs = {key: tuple(_needs(key, found, defined)) for key in found}
    waves = {key: order.wave(manifest) for key, (_, manifest) in found.items()}
    # What others need comes no later than the first of them.
    for key, needed in needs.items():
        for before in needed:
            waves[before] = min(waves[before], waves[key])
    entries = [
        Entry(
            key,
            kind,
            _digest(key, manifest, policy),
            waves[key],
            options.of_object(manifest),
            _hook(manifest),
            needs[key],
        )
        for key, (kind, manifest) in found.items()
    ]
    return tuple(
        sorted((entry for entry in entries if entry.hook not in _NEVER_RUN), key=lambda entry: entry.place)
    )


def _digest(key: Key, manifest: Object, policy: Policy) -> bytes:
    """What is ignored of an object is a part of what is desired of it: another rule, another comparison."""
    pointers = ignored(policy.ignore, key)
    return digest([manifest, pointers]) if pointers else digest(manifest)


def _needs(
    key: Key, found: Mapping[Key, tuple[Kind, Object]], defined: Mapping[tuple[str, str], Definition]
) -> Iterable[Key]:
    namespace = Key("", "Namespace", "", key.namespace)
    if key.namespace and namespace in found:
        yield namespace
    definition = defined.get((key.group, key.kind))
    if definition and definition.key in found:
        yield definition.key


def _hook(manifest: Object) -> str:
    """Return the hook that an object is, by Argo CD's annotation or else by Helm's."""
    annotations = manifest["metadata"].get("annotations") or {}
    for name in (HOOK, HELM_HOOK):
        hooks = [hook.strip() for hook in str(annotations.get(name) or "").split(",") if hook.strip()]
        if hooks:
            return next((hook for hook in hooks if hook not in _NEVER_RUN), hooks[0])
    return ""
