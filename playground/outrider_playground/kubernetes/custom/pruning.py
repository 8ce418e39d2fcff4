"""Pruning and defaulting of custom resources by their structural schema."""

from __future__ import annotations

import copy
from typing import Any

from ..values import ABSENT

_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_EMBEDDED = "x-kubernetes-embedded-resource"
_HEAD = ("apiVersion", "kind", "metadata")


def prune(structure: dict[str, Any], value: Any, unknown: list[str], path: str = "") -> Any:
    """Return the value without fields that the schema does not declare; append their paths to `unknown`."""
    if isinstance(value, list):
        items = structure.get("items")
        if not isinstance(items, dict):
            return value
        return [prune(items, item, unknown, f"{path}[{place}]") for place, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    out = {}
    for key, inner in value.items():
        below = f"{path}.{key}" if path else key
        declared = _declared(structure, key)
        if declared is not None:
            out[key] = prune(declared, inner, unknown, below)
        elif structure.get(_PRESERVE) or (structure.get(_EMBEDDED) and key in _HEAD):
            out[key] = inner
        else:
            unknown.append(below)
    return out


def _declared(structure: dict[str, Any], key: str) -> dict[str, Any] | None:
    inner = (structure.get("properties") or {}).get(key)
    if inner is not None:
        return inner if isinstance(inner, dict) else {}
    more = structure.get("additionalProperties")
    if isinstance(more, dict):
        return more
    return {_PRESERVE: True} if more else None


def fill_in(structure: dict[str, Any], value: Any) -> Any:
    """Return the value with the schema's defaults; a null that is not allowed gives way to a default."""
    if isinstance(value, list):
        items = structure.get("items")
        return [fill_in(items, item) for item in value] if isinstance(items, dict) else value
    if not isinstance(value, dict):
        return value
    out = dict(value)
    for key, inner in (structure.get("properties") or {}).items():
        default = inner.get("default", ABSENT)
        present = key in out and not (
            out[key] is None and not inner.get("nullable") and default is not ABSENT
        )
        if not present and default is not ABSENT:
            out[key] = copy.deepcopy(default)
        if key in out:
            out[key] = fill_in(inner, out[key])
    more = structure.get("additionalProperties")
    if isinstance(more, dict):
        declared = structure.get("properties") or {}
        out = {key: inner if key in declared else fill_in(more, inner) for key, inner in out.items()}
    return out
