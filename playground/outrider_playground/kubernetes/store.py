"""What one cluster keeps: objects by resource, one growing version number, and the recent history that watches replay.

Every change gets the next version and becomes one `Change`, handed to listeners before the call returns, in order. Objects are never changed in
place, so that a reader may keep what it got. History is bounded: a watch or a paged list that starts before it is refused as expired.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .errors import expired
from .values import sharing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .values import Manifest

Storage = tuple[str, str]
"""Group and plural name: what objects are kept under, whatever version they are served in."""

Key = tuple[str, str]
"""Namespace, empty for cluster-scoped objects, and name."""

HISTORY_SIZE: Final = 1024
"""Changes kept per cluster for watches to replay."""

FIRST_VERSION: Final = 100
"""The version before the first change. Above 1, so that a client that asks for a very old version finds it expired."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `manifest` is the object after it, and for a deletion its last state; `before` is None for a creation."""

    version: int
    storage: Storage
    key: Key
    manifest: Manifest
    before: Manifest | None
    deleted: bool = False


class Store:
    """The objects of one cluster."""

    def __init__(self, history_size: int = HISTORY_SIZE) -> None:
        self.version = FIRST_VERSION
        self._objects: dict[Storage, dict[Key, Manifest]] = {}
        self._history: deque[Change] = deque(maxlen=history_size)
        self._oldest = FIRST_VERSION
        self._children: dict[str, set[tuple[Storage, Key]]] = {}
        self._uids: dict[str, tuple[Storage, Key]] = {}
        self._listeners: list[Callable[[Change], None]] = []

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Call this function with every change from now on."""
        self._listeners.append(listener)

    def ignore(self, listener: Callable[[Change], None]) -> None:
        """Stop calling this function."""
        self._listeners.remove(listener)

    def get(self, storage: Storage, key: Key) -> Manifest | None:
        """Return an object, or None."""
        return self._objects.get(storage, {}).get(key)

    def listed(self, storage: Storage, namespace: str = "") -> list[Manifest]:
        """List the objects of a resource, of all namespaces or one, by namespace and name."""
        kept = self._objects.get(storage, {})
        return [kept[key] for key in sorted(kept) if not namespace or key[0] == namespace]

    def count(self) -> int:
        """Count all objects."""
        return sum(len(kept) for kept in self._objects.values())

    def everything(self) -> Iterator[tuple[Storage, Key, Manifest]]:
        """Go through all objects."""
        for storage, kept in list(self._objects.items()):
            for key, manifest in list(kept.items()):
                yield storage, key, manifest

    def in_namespace(self, namespace: str) -> list[tuple[Storage, Key, Manifest]]:
        """List all objects of a namespace."""
        return [entry for entry in self.everything() if entry[1][0] == namespace]

    def put(self, storage: Storage, key: Key, manifest: Manifest) -> Manifest:
        """Create or replace an object; return it with its version."""
        before = self.get(storage, key)
        self.version += 1
        kept: Manifest = sharing(before, _versioned(manifest, self.version))
        self._objects.setdefault(storage, {})[key] = kept
        self._index(storage, key, before, kept)
        self._announce(Change(self.version, storage, key, kept, before))
        return kept

    def drop(self, storage: Storage, key: Key) -> Manifest:
        """Delete an object; return its last state."""
        before = self._objects[storage].pop(key)
        self.version += 1
        self._index(storage, key, before, None)
        self._announce(
            Change(self.version, storage, key, _versioned(before, self.version), before, deleted=True)
        )
        return before

    def children_of(self, uid: str) -> list[tuple[Storage, Key, Manifest]]:
        """List the objects that name this one as an owner."""
        found = sorted(self._children.get(uid, ()))
        return [(storage, key, self._objects[storage][key]) for storage, key in found]

    def with_uid(self, uid: str) -> Manifest | None:
        """Find an object by its uid."""
        place = self._uids.get(uid)
        return self.get(*place) if place is not None else None

    def since(self, version: int) -> list[Change]:
        """Return the changes after a version, oldest first. Raises ApiError (410) when they are no longer kept."""
        if version < self._oldest or (self._history and version < self._history[0].version - 1):
            raise expired(f"too old resource version: {version} ({self.oldest})")
        return [change for change in self._history if change.version > version]

    @property
    def oldest(self) -> int:
        """The oldest version that a watch may start from."""
        return max(self._oldest, self._history[0].version - 1) if self._history else self._oldest

    def at(self, storage: Storage, namespace: str, version: int) -> list[Manifest]:
        """List the objects of a resource as they were at a version. Raises ApiError (410) when that is no longer known."""
        later = self.since(version)
        kept = dict(self._objects.get(storage, {}))
        for change in reversed(later):
            if change.storage == storage:
                if change.before is None:
                    del kept[change.key]
                else:
                    kept[change.key] = change.before
        return [kept[key] for key in sorted(kept) if not namespace or key[0] == namespace]

    def forget_history(self) -> None:
        """Drop all history, as etcd's compaction does."""
        self._history.clear()
        self._oldest = self.version

    def _announce(self, change: Change) -> None:
        self._history.append(change)
        for listener in list(self._listeners):
            listener(change)

    def _index(self, storage: Storage, key: Key, before: Manifest | None, after: Manifest | None) -> None:
        place = (storage, key)
        if before is not None:
            self._uids.pop(before["metadata"]["uid"], None)
            for uid in _owners(before):
                children = self._children[uid]
                children.discard(place)
                if not children:
                    del self._children[uid]
        if after is not None:
            self._uids[after["metadata"]["uid"]] = place
            for uid in _owners(after):
                self._children.setdefault(uid, set()).add(place)

    def dump(self) -> dict[str, Any]:
        """Return everything that a restart needs, as JSON."""
        return {
            "version": self.version,
            "objects": [[*storage, *key, manifest] for storage, key, manifest in self.everything()],
        }

    def restore(self, dumped: dict[str, Any]) -> None:
        """Take over what `dump` returned, without history: a watch from before finds its version expired."""
        self.version = dumped["version"]
        for group, plural, namespace, name, manifest in dumped["objects"]:
            self._objects.setdefault((group, plural), {})[(namespace, name)] = manifest
            self._index((group, plural), (namespace, name), None, manifest)
        self.forget_history()


def _owners(manifest: Manifest) -> set[str]:
    return {owner["uid"] for owner in manifest["metadata"].get("ownerReferences") or ()}


def _versioned(manifest: Manifest, version: int) -> Manifest:
    return {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": str(version)}}
