"""The life of CustomResourceDefinitions: accepted, established, served; and their end, which takes all their objects along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..controllers.actor import Actor
from ..controllers.conditions import condition
from ..controllers.loop import Controller
from ..resources import ALL_VERBS, READ_WRITE, Resource, Subresource, builtin
from ..verbs.deleting import DEFINITION_CLEANUP
from .types import CustomType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..state import State
    from ..store import Change, Key
    from ..values import Manifest

DEFINITIONS: Final = builtin("apiextensions.k8s.io/v1", "CustomResourceDefinition")
VERBS: Final = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
assert set(VERBS) == set(ALL_VERBS)  # noqa: S101  # only their order differs, as it does on a server


class DefinitionController(Controller):
    """Accepts definitions, and serves what they define."""

    watches = (DEFINITIONS.storage,)

    def __init__(self, state: State) -> None:
        self._state = state
        self._actor = Actor(state, "kube-apiserver")
        self._served: dict[str, dict[str, Any]] = {}

    def keys(self, change: Change) -> Iterable[Key]:
        """Name the definition."""
        return [change.key]

    def reconcile(self, key: Key) -> float | None:
        """Establish a definition, or get on with its end."""
        live = self._state.store.get(DEFINITIONS.storage, key)
        if live is None:
            self._serve(key[1], None)
            return None
        if live["metadata"].get("deletionTimestamp"):
            return self._end(live)
        established = self._accepted(live)
        if established["status"] != live["status"]:
            live = self._actor.update_status(DEFINITIONS, live, established["status"])
        self._serve(key[1], live)
        return None

    def _accepted(self, live: Manifest) -> Manifest:
        names, status = live["spec"]["names"], live["status"]
        now = self._state.now()
        conditions = list(status.get("conditions") or ())
        if condition(conditions, "Established") is None:
            conditions += [
                _made("NamesAccepted", "NoConflicts", "no conflicts found", now),
                _made("Established", "InitialNamesAccepted", "the initial names have been accepted", now),
            ]
        stored = [version["name"] for version in live["spec"]["versions"] if version.get("storage")]
        versions = list(dict.fromkeys([*(status.get("storedVersions") or ()), *stored]))
        return {
            "status": {**status, "conditions": conditions, "acceptedNames": names, "storedVersions": versions}
        }

    def _serve(self, name: str, live: Manifest | None) -> None:
        """Serve the resources of a definition, unless they are served already."""
        spec = live["spec"] if live is not None else None
        if self._served.get(name) == spec:
            return
        if spec is None:
            self._served.pop(name, None)
        else:
            self._served[name] = spec
        self._state.catalog.define(name, defined_resources(name, spec) if spec is not None else ())

    def _end(self, live: Manifest) -> float | None:
        name = live["metadata"]["name"]
        resource = next(iter(defined_resources(name, live["spec"])), None)
        left = self._state.store.listed(resource.storage) if resource is not None else []
        if left and resource is not None:
            for manifest in left:
                self._actor.delete(
                    self._state.catalog.of_kind(manifest["apiVersion"], manifest["kind"]) or resource,
                    manifest,
                )
            if self._state.store.listed(resource.storage):
                return 0.1
        rest = [each for each in live["metadata"].get("finalizers") or () if each != DEFINITION_CLEANUP]
        metadata = {key: value for key, value in live["metadata"].items() if key != "finalizers"}
        self._serve(name, None)
        self._actor.update(DEFINITIONS, live, metadata={**metadata, "finalizers": rest} if rest else metadata)
        return None


def _made(kind: str, reason: str, message: str, now: str) -> dict[str, str]:
    return {"type": kind, "status": "True", "lastTransitionTime": now, "reason": reason, "message": message}


def defined_resources(definition: str, spec: dict[str, Any]) -> tuple[Resource, ...]:
    """Return the resources that a definition adds, one for each version that it serves, the storage version first."""
    stored = next((version["name"] for version in spec["versions"] if version.get("storage")), "")
    served = sorted(
        (each for each in spec["versions"] if each.get("served")), key=lambda each: each["name"] != stored
    )
    return tuple(_resource(definition, spec, version, stored) for version in served)


def _resource(definition: str, spec: dict[str, Any], version: dict[str, Any], stored: str) -> Resource:
    names = spec["names"]
    custom = CustomType(definition, version)
    parts: list[Subresource] = []
    if custom.has_status:
        parts.append(Subresource("status", names["kind"], READ_WRITE))
    if custom.scale is not None:
        parts.append(Subresource("scale", "Scale", READ_WRITE, "autoscaling", "v1"))
    return Resource(
        group=spec["group"],
        version=version["name"],
        plural=names["plural"],
        kind=names["kind"],
        namespaced=spec["scope"] == "Namespaced",
        schema=custom.schema,
        singular=names.get("singular", ""),
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        subresources=tuple(parts),
        verbs=VERBS,
        list_kind=names.get("listKind", ""),
        storage_version=stored,
        custom=custom,
    )
