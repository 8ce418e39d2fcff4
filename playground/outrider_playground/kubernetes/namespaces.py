"""The life of namespaces: what each gets when it begins, and how it ends: everything inside goes first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .controllers.actor import Actor
from .controllers.conditions import with_condition
from .controllers.loop import Controller
from .options import Call
from .resources import builtin
from .verbs.changing import released

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .state import State
    from .store import Change, Key
    from .values import Manifest

NAMESPACES: Final = builtin("v1", "Namespace")
ACCOUNTS: Final = builtin("v1", "ServiceAccount")


class NamespaceController(Controller):
    """Gives each namespace its service account; empties and ends those that are deleted."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._actor = Actor(state)

    def keys(self, change: Change) -> Iterable[Key]:
        """Name the namespace itself, or the one that has lost an object."""
        if change.storage == NAMESPACES.storage:
            return [change.key]
        if change.key[0] and (change.deleted or change.manifest["metadata"].get("deletionTimestamp")):
            return [("", change.key[0])]
        return ()

    def reconcile(self, key: Key) -> float | None:
        """Equip a namespace, or get on with its end."""
        live = self._state.store.get(NAMESPACES.storage, key)
        if live is None:
            return None
        if not live["metadata"].get("deletionTimestamp"):
            if self._state.store.get(ACCOUNTS.storage, (key[1], "default")) is None:
                self._actor.create(ACCOUNTS, key[1], {"metadata": {"name": "default"}})
            return None
        self._empty(key[1])
        left = self._state.store.in_namespace(key[1])
        if left:
            self._report(live, len(left))
        else:
            self._finish(live)
        return None

    def _empty(self, name: str) -> None:
        for storage, _, manifest in self._state.store.in_namespace(name):
            resource = self._state.catalog.of_kind(manifest["apiVersion"], manifest["kind"])
            if resource is None:  # its definition is gone: nothing can be asked of it any more
                self._state.store.drop(storage, (name, manifest["metadata"]["name"]))
            elif not manifest["metadata"].get("deletionTimestamp"):
                self._actor.delete(resource, manifest)

    def _report(self, live: Manifest, count: int) -> None:
        made: dict[str, Any] = {
            "type": "NamespaceContentRemaining",
            "status": "True",
            "reason": "SomeResourcesRemain",
            "message": f"Some resources are remaining: {count} objects",
        }
        conditions = with_condition(live["status"].get("conditions"), made, self._state.now())
        self._actor.update_status(NAMESPACES, live, {**live["status"], "conditions": conditions})

    def _finish(self, live: Manifest) -> None:
        """Take the cluster's own finalizer from the spec; with no other left, the namespace is gone."""
        finished = {**live, "spec": {**live["spec"], "finalizers": []}}
        call = Call(NAMESPACES, "", live["metadata"]["name"])
        if released(finished):
            self._state.store.drop(NAMESPACES.storage, call.key)
        elif live["spec"].get("finalizers"):
            self._state.store.put(NAMESPACES.storage, call.key, finished)
