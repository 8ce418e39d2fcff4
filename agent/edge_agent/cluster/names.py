"""What things on a cluster are called: kinds, objects (`outrider.manifests.names`), resources and their paths."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from outrider.manifests.names import Key, Kind, Object, key_of, kind_of

__all__ = ["Key", "Kind", "Object", "Resource", "key_of", "kind_of"]


@dataclass(frozen=True, slots=True)
class Resource:
    """Where the objects of a kind are found, as discovery says."""

    kind: Kind
    plural: str
    namespaced: bool
    verbs: frozenset[str]

    @property
    def watchable(self) -> bool:
        """Say whether the kind's objects can be listed and watched."""
        return "list" in self.verbs and "watch" in self.verbs

    def collection(self, namespace: str = "") -> str:
        """Return the path of all objects, or of those in a namespace."""
        group, version, _ = self.kind
        root = f"/apis/{group}/{version}" if group else f"/api/{version}"
        inside = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced and namespace else ""
        return f"{root}{inside}/{self.plural}"

    def path(self, key: Key) -> str:
        """Return the path of one object."""
        return f"{self.collection(key.namespace)}/{quote(key.name, safe='')}"

    @property
    def right(self) -> str:
        """The resource as a role names it, `deployments.apps`."""
        return f"{self.plural}.{self.kind.group}" if self.kind.group else self.plural
