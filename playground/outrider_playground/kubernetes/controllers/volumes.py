"""Claims get their volumes: at once, if there is a class for them; a claim of a class that does not exist waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..resources import builtin
from .actor import Actor
from .loop import Controller

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..state import State
    from ..store import Change, Key
    from ..values import Manifest

CLAIMS: Final = builtin("v1", "PersistentVolumeClaim")
VOLUMES: Final = builtin("v1", "PersistentVolume")
CLASSES: Final = builtin("storage.k8s.io/v1", "StorageClass")


class ClaimController(Controller):
    """Binds claims, and removes the volumes of claims that are gone."""

    watches = (CLAIMS.storage, CLASSES.storage)

    def __init__(self, state: State) -> None:
        self._state = state
        self._actor = Actor(state)

    def keys(self, change: Change) -> Iterable[Key]:
        """Name the claim, or all claims when a class comes."""
        if change.storage == CLAIMS.storage:
            if change.deleted:
                self._release(change.manifest)
            return [change.key]
        found = self._state.store.listed(CLAIMS.storage)
        return [(each["metadata"]["namespace"], each["metadata"]["name"]) for each in found]

    def reconcile(self, key: Key) -> float | None:
        """Bind a claim that is pending."""
        live = self._state.store.get(CLAIMS.storage, key)
        if (
            live is None
            or live["status"].get("phase") != "Pending"
            or live["metadata"].get("deletionTimestamp")
        ):
            return None
        named = live["spec"].get("storageClassName")
        if not named or self._state.store.get(CLASSES.storage, ("", named)) is None:
            return None
        self._bind(live)
        return None

    def _bind(self, live: Manifest) -> None:
        metadata, spec = live["metadata"], live["spec"]
        name = f"pvc-{metadata['uid']}"
        capacity = {"storage": spec["resources"]["requests"]["storage"]}
        reference = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": metadata["namespace"]}
        reference |= {"name": metadata["name"], "uid": metadata["uid"]}
        made: dict[str, Any] = {
            "metadata": {"name": name},
            "spec": {
                "capacity": capacity,
                "accessModes": spec["accessModes"],
                "claimRef": reference,
                "persistentVolumeReclaimPolicy": "Delete",
                "storageClassName": spec["storageClassName"],
                "hostPath": {"path": f"/simulated/{name}"},
            },
        }
        volume = self._actor.create(VOLUMES, "", made)
        self._actor.update_status(VOLUMES, volume, {**volume["status"], "phase": "Bound"})
        bound = self._actor.update(CLAIMS, live, spec={**spec, "volumeName": name})
        status = {"phase": "Bound", "accessModes": spec["accessModes"], "capacity": capacity}
        self._actor.update_status(CLAIMS, bound, status)

    def _release(self, claim: Manifest) -> None:
        volume = self._state.store.get(VOLUMES.storage, ("", claim["spec"].get("volumeName", "")))
        if volume is not None and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete":
            self._actor.delete(VOLUMES, volume)
