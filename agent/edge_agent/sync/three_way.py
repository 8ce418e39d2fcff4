"""Merge on this side, as `kubectl apply` does without `--server-side`. Pure.

What was applied last stands in an annotation of the live object. The patch says what is desired, and takes away
what was applied last and is desired no longer; the rest of the live object stays. Built-in kinds are patched
strategically, so that items of keyed lists that others added stay; custom resources by a merge patch, whose lists
count as a whole, as kubectl does both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edge_agent.cluster.names import kind_of

if TYPE_CHECKING:
    from edge_agent.cluster.names import Object

ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"
STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"

_SYSTEM = (
    "admissionregistration apiregistration authentication authorization certificates coordination discovery events "
    "flowcontrol.apiserver internal.apiserver networking node rbac.authorization resource scheduling storage"
)
# Groups whose kinds the server knows how to merge; apiextensions' own kind is one of them.
_BUILT_IN = frozenset(
    {"", "apps", "autoscaling", "batch", "extensions", "policy", "apiextensions.k8s.io"}
    | {f"{group}.k8s.io" for group in _SYSTEM.split()}
)
# By which field the items of a list are known (Kubernetes API types, `patchMergeKey`). Other lists count as a
# whole.
_KEYS: Mapping[str, tuple[str, ...]] = {
    "conditions": ("type",),
    "containers": ("name",),
    "env": ("name",),
    "ephemeralContainers": ("name",),
    "hostAliases": ("ip",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "ownerReferences": ("uid",),
    "ports": ("containerPort", "port"),
    "resourceClaims": ("name",),
    "schedulingGates": ("name",),
    "secrets": ("name",),
    "topologySpreadConstraints": ("topologyKey",),
    "volumeDevices": ("devicePath",),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
    "webhooks": ("name",),
}


def last_applied(manifest: Object) -> Object:
    """Return the manifest with itself noted in its annotation, for the next merge."""
    metadata = manifest["metadata"]
    noted = json.dumps(_without_annotation(manifest), sort_keys=True, separators=(",", ":"))
    annotations = {**(metadata.get("annotations") or {}), ANNOTATION: noted}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def three_way(noted: Object, live: Mapping[str, Any]) -> tuple[Object, str]:
    """Return the patch that brings a live object to a noted manifest, and the patch's content type."""
    strategic = kind_of(noted).group in _BUILT_IN
    before = _before(live)
    patch: Object = _merged(before, _without_status(noted), strategic=strategic)
    return patch, STRATEGIC if strategic else MERGE


def leftovers(manifest: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """Say whether the live object was brought there by a merge of another manifest than this one."""
    before = _before(live)
    return bool(before) and before != _without_annotation(manifest)


def _before(live: Mapping[str, Any]) -> dict[str, Any]:
    annotations = (live.get("metadata") or {}).get("annotations") or {}
    try:
        found = json.loads(annotations.get(ANNOTATION) or "{}")
    except ValueError:
        return {}
    return _without_status(found) if isinstance(found, dict) else {}


def _without_status(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in manifest.items() if name != "status"}


def _without_annotation(manifest: Mapping[str, Any]) -> dict[str, Any]:
    metadata = manifest.get("metadata") or {}
    annotations = {
        name: value for name, value in (metadata.get("annotations") or {}).items() if name != ANNOTATION
    }
    return {**_without_status(manifest), "metadata": {**metadata, "annotations": annotations}}


def _merged(before: Any, desired: Any, *, strategic: bool) -> Any:
    """Return what is desired, with the marks that take away what was there before."""
    if not isinstance(desired, Mapping):
        return desired
    held = before if isinstance(before, Mapping) else {}
    patch: dict[str, Any] = {name: None for name in held if name not in desired}
    for name, value in desired.items():
        if strategic and isinstance(value, list):
            patch[name] = _merged_list(name, held.get(name), value)
        else:
            patch[name] = _merged(held.get(name), value, strategic=strategic)
    return patch


def _merged_list(name: str, before: Any, desired: list[Any]) -> list[Any]:
    key = _key_of(name, desired or before)
    if key is None:
        return desired
    known = {item.get(key): item for item in before or () if isinstance(item, Mapping)}
    wanted = {item.get(key) for item in desired}
    gone = [{"$patch": "delete", key: value} for value in known if value not in wanted]
    return [*(_merged(known.get(item.get(key)), item, strategic=True) for item in desired), *gone]


def _key_of(name: str, items: Any) -> str | None:
    for key in _KEYS.get(name, ()):
        if (
            isinstance(items, list)
            and items
            and all(isinstance(item, Mapping) and key in item for item in items)
        ):
            return key
    return None
