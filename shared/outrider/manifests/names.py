"""What objects are called.

Two identities, never mixed: a `Kind` has a version and says how to speak about an object, a `Key` has none
and says which object it is. The same object read as `autoscaling/v1` and as `autoscaling/v2` has one key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Object = dict[str, Any]
"""A Kubernetes object: JSON values, as the API server sends them and as a bundle holds them."""

# Written by the server alone: never applied, never compared.
SERVER_METADATA = frozenset(
    {"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields"}
    | {"resourceVersion", "selfLink", "uid"}
)


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


def kind_of(manifest: Mapping[str, Any]) -> Kind:
    """Return the kind that a manifest says it is; missing parts are empty."""
    group, _, version = str(manifest.get("apiVersion") or "").rpartition("/")
    return Kind(group, version, str(manifest.get("kind") or ""))


def key_of(manifest: Mapping[str, Any]) -> Key:
    """Return which object a manifest or a live object is; missing parts are empty."""
    kind = kind_of(manifest)
    metadata = manifest.get("metadata") or {}
    return Key(kind.group, kind.kind, str(metadata.get("namespace") or ""), str(metadata.get("name") or ""))


def flat(manifests: Iterable[Object]) -> Iterator[Object]:
    """Yield manifests, those inside a `List` one by one."""
    for manifest in manifests:
        if str(manifest.get("kind") or "").endswith("List") and isinstance(manifest.get("items"), list):
            yield from flat(manifest["items"])
        else:
            yield manifest
