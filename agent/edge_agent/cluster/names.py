"""What things on a cluster are called: kinds, objects, resources and their paths.

Two identities, never mixed: a `Kind` has a version and says how to speak about an object, a `Key` has none
and says which object it is. The same object read as `autoscaling/v1` and as `autoscaling/v2` has one key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

Object = dict[str, Any]
"""A Kubernetes object: JSON values, as the API server sends them and as a bundle holds them."""


class Kind(NamedTuple):
    """A group, version and kind; the core group is the empty string."""

    group: str
    version: str
    kind: str

    @property
    def api_version(self) -> str:
        """As it stands in a manifest: `v1`, `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def __str__(self) -> str:
        return f"{self.api_version} {self.kind}"


class Key(NamedTuple):
    """Which object, whatever the version it is read in; the namespace is empty for a cluster-scoped one."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        kind = f"{self.kind}.{self.group}" if self.group else self.kind
        return f"{kind} {self.namespace}/{self.name}" if self.namespace else f"{kind} {self.name}"


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


def kind_of(manifest: Mapping[str, Any]) -> Kind:
    """Return the kind that a manifest says it is; missing parts are empty."""
    group, _, version = str(manifest.get("apiVersion") or "").rpartition("/")
    return Kind(group, version, str(manifest.get("kind") or ""))


def key_of(manifest: Mapping[str, Any]) -> Key:
    """Return which object a manifest or a live object is; missing parts are empty."""
    kind = kind_of(manifest)
    metadata = manifest.get("metadata") or {}
    return Key(kind.group, kind.kind, str(metadata.get("namespace") or ""), str(metadata.get("name") or ""))
