"""The scale subresource: how many replicas, whatever the kind."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import bad_request
from ..selectors import selector_text
from .changing import check_version, existing, write
from .patching import patched

if TYPE_CHECKING:
    from ..options import Call
    from ..state import State
    from ..values import Manifest


def read_scale(state: State, call: Call) -> Manifest:
    """Return the Scale of an object."""
    return _scale(call, existing(state, call))


def _scale(call: Call, live: Manifest) -> Manifest:
    metadata = live["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    spec_path, status_path, selector_path = _paths(call)
    status: dict[str, Any] = {"replicas": _at(live, status_path) or 0}
    selector = _at(live, selector_path) if selector_path else None
    if isinstance(selector, dict):
        selector = selector_text(
            selector
            if "matchLabels" in selector or "matchExpressions" in selector
            else {"matchLabels": selector}
        )
    if selector:
        status["selector"] = selector
    replicas = _at(live, spec_path)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "spec": {"replicas": replicas} if replicas else {},
        "status": status,
    }


def _paths(call: Call) -> tuple[str, str, str]:
    custom = call.resource.custom
    if custom is None or custom.scale is None:
        return "spec.replicas", "status.replicas", "spec.selector"
    scale = custom.scale
    return tuple(
        scale.get(key, "").lstrip(".")
        for key in ("specReplicasPath", "statusReplicasPath", "labelSelectorPath")
    )  # type: ignore[return-value]


def _at(manifest: Manifest, path: str) -> Any:
    value: Any = manifest
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def write_scale(state: State, call: Call, scale: Manifest) -> Manifest:
    """Set the number of replicas."""
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        raise bad_request("spec.replicas must be a whole number of 0 or more")
    live = existing(state, call)
    check_version(call, live, scale)
    path = _paths(call)[0].split(".")
    changed = write(state, replace(call, subresource="scale"), live, _set(live, path, replicas))
    return _scale(call, changed)


def _set(value: Any, path: list[str], leaf: Any) -> Any:
    inner = value if isinstance(value, dict) else {}
    if len(path) == 1:
        return {**inner, path[0]: leaf}
    return {**inner, path[0]: _set(inner.get(path[0]), path[1:], leaf)}


def patch_scale(state: State, call: Call, kind: str, change: Any) -> Manifest:
    """Patch the Scale of an object."""
    before = read_scale(state, call)
    before["metadata"].pop("resourceVersion")
    return write_scale(state, call, patched(call, before, kind, change))
