"""Where an object goes on this cluster: its namespace, or none. Pure.

A kind that the cluster doesn't serve yet is placed as the bundle's own definition of it says, and as a
namespaced one where there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from outrider.manifests.names import SERVER_METADATA, Key, Kind, Object
from outrider.manifests.stored import as_stored

Scope = Callable[[Kind], bool | None]
"""Says whether a kind is namespaced; None: the cluster doesn't serve it."""

_DEFINITION = "CustomResourceDefinition"


@dataclass(frozen=True, slots=True)
class Definition:
    """A CustomResourceDefinition of the bundle itself."""

    key: Key
    namespaced: bool


@dataclass(frozen=True, slots=True)
class Place:
    """What placing goes by: the destination's namespace, the cluster's kinds and the bundle's own."""

    namespace: str
    scope: Scope
    defined: Mapping[tuple[str, str], Definition]

    @classmethod
    def of(cls, namespace: str, scope: Scope, manifests: Iterable[Object]) -> Place:
        """Return it for a bundle; `namespace`: the destination's."""
        return cls(namespace, scope, definitions(manifests))

    def namespaced(self, kind: Kind) -> bool:
        """Say whether objects of a kind are in a namespace."""
        served, definition = self.scope(kind), self.defined.get((kind.group, kind.kind))
        return served if served is not None else definition.namespaced if definition else True

    def put(self, manifest: Object, kind: Kind) -> tuple[Key, Object]:
        """Give an object its namespace, or take it away from one that can't have any."""
        metadata = {
            name: value for name, value in manifest["metadata"].items() if name not in SERVER_METADATA
        }
        given = str(metadata.pop("namespace", None) or self.namespace)
        namespace = given if self.namespaced(kind) else ""
        if namespace:
            metadata["namespace"] = namespace
        key = Key(kind.group, kind.kind, namespace, str(metadata.get("name") or ""))
        return key, as_stored({**manifest, "metadata": metadata})

    def needs(self, key: Key, found: Mapping[Key, Any]) -> Iterable[Key]:
        """Yield the objects of the bundle without which an object can't be: its namespace, its definition."""
        namespace = Key("", "Namespace", "", key.namespace)
        if key.namespace and namespace in found:
            yield namespace
        definition = self.defined.get((key.group, key.kind))
        if definition and definition.key in found:
            yield definition.key


def definitions(manifests: Iterable[Object]) -> dict[tuple[str, str], Definition]:
    """Return the kinds that a bundle brings with it, by group and kind."""
    found = {}
    for manifest in manifests:
        if manifest.get("kind") != _DEFINITION:
            continue
        spec, metadata = _map(manifest.get("spec")), _map(manifest.get("metadata"))
        kind = str(_map(spec.get("names")).get("kind") or "")
        key = Key("apiextensions.k8s.io", _DEFINITION, "", str(metadata.get("name") or ""))
        found[str(spec.get("group") or ""), kind] = Definition(key, spec.get("scope") != "Cluster")
    return found


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
