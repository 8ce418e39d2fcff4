"""Write a desired object as the cluster stores it, where the same thing can be said in two ways. Pure.

What is applied is then what is stored, and what is owned what is meant: the rest of the differences between
how people and servers write (quantities, defaults, orders) is the server's to settle, in a dry run.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outrider.manifests.names import Object


def as_stored(manifest: Object) -> Object:
    """Return the manifest as it is stored; the given one is left as it is."""
    kind, group = manifest.get("kind"), str(manifest.get("apiVersion") or "").rpartition("/")[0]
    if (kind, group) == ("Secret", ""):
        return _secret(manifest)
    if (kind, group) == ("ClusterRole", "rbac.authorization.k8s.io"):
        return _cluster_role(manifest)
    return manifest


def _secret(manifest: Object) -> Object:
    """Write `stringData` as the `data` it becomes, and a value that is nothing as an empty one."""
    plain, data = manifest.get("stringData"), manifest.get("data")
    if not isinstance(plain, Mapping | None) or not isinstance(data, Mapping | None):
        return manifest
    if not plain and not any(value is None for value in (data or {}).values()):
        return manifest
    if not all(isinstance(value, str) for value in (plain or {}).values()):
        # Not a valid object: the server says what is wrong with it as it was written.
        return manifest
    encoded = {
        name: base64.b64encode(value.encode("utf-8", "surrogatepass")).decode()
        for name, value in (plain or {}).items()
    }
    settled = {name: "" if value is None else value for name, value in (data or {}).items()}
    rest = {name: value for name, value in manifest.items() if name != "stringData"}
    return {**rest, "data": {**settled, **encoded}}


def _cluster_role(manifest: Object) -> Object:
    """Leave out the rules of a role that aggregates others: the control plane writes them, and applying other
    ones would take rights away until it has written them again.
    """
    if not isinstance(manifest.get("aggregationRule"), Mapping):
        return manifest
    return {name: value for name, value in manifest.items() if name != "rules"}
