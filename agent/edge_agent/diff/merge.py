"""A JSON merge patch (RFC 7386) from one object to another. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What the server alone writes, and what says which object it is.
_SERVERS = frozenset(
    {"managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink"}
)


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the patch that makes the one of the other; empty: they are the same. What the server alone writes
    of the metadata is left out.
    """
    patch = _patch(before, after)
    metadata = {name: value for name, value in patch.pop("metadata", {}).items() if name not in _SERVERS}
    return patch | ({"metadata": metadata} if metadata else {})


def _patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    patch: dict[str, Any] = {name: None for name in before if name not in after}
    for name, value in after.items():
        held = before.get(name)
        if isinstance(value, Mapping) and isinstance(held, Mapping):
            below = _patch(held, value)
            if below:
                patch[name] = below
        elif value != held or isinstance(value, bool) is not isinstance(held, bool):
            patch[name] = value
    return patch
