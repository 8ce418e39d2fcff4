"""The garbage collector: what nobody owns any more goes, and deletions in the foreground wait for their dependents.

It acts on owner references alone: an object goes when none of the owners that it names is left; before an owner that waits with the finalizer
`foregroundDeletion` its dependents go; those of one with the finalizer `orphan` lose their reference and stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .controllers.actor import Actor
from .controllers.loop import Controller
from .verbs.deleting import FOREGROUND, ORPHAN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .resources import Resource
    from .state import State
    from .store import Change, Key, Storage
    from .values import Manifest

_ABSENT_GRACE: Final = "generic-garbage-collector"


class GarbageCollector(Controller):
    """Watches every resource. Its keys are uids of objects and of owners that are gone, with an empty namespace."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._actor = Actor(state, _ABSENT_GRACE)

    def keys(self, change: Change) -> Iterable[Key]:
        """Name the object if it owns, is owned, or waits; once it is gone, its dependents and its owners."""
        metadata = change.manifest["metadata"]
        owners = [("", owner["uid"]) for owner in metadata.get("ownerReferences") or ()]
        if change.deleted:
            return [("", metadata["uid"]), *owners]
        if metadata.get("deletionTimestamp") or owners:
            return [("", metadata["uid"])]
        return ()

    def reconcile(self, key: Key) -> float | None:
        """Act on one uid: on the object itself, or on the dependents of an owner that is gone."""
        uid = key[1]
        live = self._state.store.with_uid(uid)
        if live is None:
            for storage, _, manifest in self._state.store.children_of(uid):
                self._collect(storage, manifest)
            return None
        resource = self._state.catalog.of_kind(live["apiVersion"], live["kind"])
        if resource is None:
            return None
        if live["metadata"].get("deletionTimestamp"):
            self._wait_for_dependents(resource, live)
        elif live["metadata"].get("ownerReferences"):
            self._collect(resource.storage, live)
        return None

    def _resource(self, storage: Storage, manifest: Manifest) -> Resource | None:
        found = self._state.catalog.of_kind(manifest["apiVersion"], manifest["kind"])
        return found if found is not None and found.storage == storage else None

    def _collect(self, storage: Storage, manifest: Manifest) -> None:
        """Delete an object that has lost all its owners, and let go of those that it has lost if others are left."""
        resource = self._resource(storage, manifest)
        if resource is None or manifest["metadata"].get("deletionTimestamp"):
            return
        owners = manifest["metadata"].get("ownerReferences") or ()
        left = [owner for owner in owners if self._is_there(owner)]
        if len(left) == len(owners):
            return
        if left:
            self._set_metadata(resource, manifest, "ownerReferences", left)
        else:
            self._actor.delete(resource, manifest, policy=self._policy_of(manifest))

    def _policy_of(self, manifest: Manifest) -> str:
        finalizers = manifest["metadata"].get("finalizers") or ()
        if ORPHAN in finalizers:
            return "Orphan"
        return "Foreground" if FOREGROUND in finalizers else "Background"

    def _is_there(self, owner: dict[str, Any]) -> bool:
        found = self._state.store.with_uid(owner["uid"])
        return found is not None and found["metadata"]["name"] == owner.get("name")

    def _wait_for_dependents(self, resource: Resource, live: Manifest) -> None:
        finalizers = live["metadata"].get("finalizers") or ()
        dependents = self._state.store.children_of(live["metadata"]["uid"])
        if ORPHAN in finalizers:
            for storage, _, manifest in dependents:
                self._let_go(storage, manifest, live["metadata"]["uid"])
            self._drop_finalizer(resource, live, ORPHAN)
        elif FOREGROUND in finalizers:
            blocking = [entry for entry in dependents if _blocks(entry[2], live["metadata"]["uid"])]
            for storage, _, manifest in dependents:
                self._delete_dependent(storage, manifest)
            if not blocking:
                self._drop_finalizer(resource, live, FOREGROUND)

    def _delete_dependent(self, storage: Storage, manifest: Manifest) -> None:
        dependent = self._resource(storage, manifest)
        if dependent is None or manifest["metadata"].get("deletionTimestamp"):
            return
        owns = bool(self._state.store.children_of(manifest["metadata"]["uid"]))
        self._actor.delete(dependent, manifest, policy="Foreground" if owns else "Background")

    def _let_go(self, storage: Storage, manifest: Manifest, uid: str) -> None:
        resource = self._resource(storage, manifest)
        if resource is not None:
            rest = [owner for owner in manifest["metadata"]["ownerReferences"] if owner["uid"] != uid]
            self._set_metadata(resource, manifest, "ownerReferences", rest)

    def _drop_finalizer(self, resource: Resource, live: Manifest, finalizer: str) -> None:
        rest = [each for each in live["metadata"].get("finalizers") or () if each != finalizer]
        self._set_metadata(resource, live, "finalizers", rest)

    def _set_metadata(self, resource: Resource, manifest: Manifest, field: str, value: list[Any]) -> None:
        metadata = {key: each for key, each in manifest["metadata"].items() if key != field}
        if value:
            metadata[field] = value
        self._actor.update(resource, manifest, metadata=metadata)


def _blocks(manifest: Manifest, uid: str) -> bool:
    return any(
        owner["uid"] == uid and owner.get("blockOwnerDeletion")
        for owner in manifest["metadata"].get("ownerReferences") or ()
    )
