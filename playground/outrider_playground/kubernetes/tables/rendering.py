"""Write objects as a Table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from ..ages import age
from .columns import AGE, BY_KIND, NAME, Column

if TYPE_CHECKING:
    from datetime import datetime

    from ..resources import Resource
    from ..values import Manifest

_STEP: Final = re.compile(
    r"\.?([A-Za-z0-9_\-]+|\\.)|\[(\d+)\]|\[\?\(@\.(\w+)==['\"](\w+)['\"]\)\]|\['([^']+)'\]"
)


def table(
    resource: Resource, manifests: list[Manifest], metadata: dict[str, Any], now: datetime, include: str
) -> dict[str, Any]:
    """Return a Table of these objects. `include` is what goes with each row: None, Metadata or Object."""
    columns = columns_of(resource)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [column.definition() for column in columns],
        "rows": [_row(columns, manifest, now, include) for manifest in manifests],
    }


def _row(columns: tuple[Column, ...], manifest: Manifest, now: datetime, include: str) -> dict[str, Any]:
    row: dict[str, Any] = {"cells": [column.cell(manifest, now) for column in columns]}
    if include == "Object":
        row["object"] = manifest
    elif include != "None":
        row["object"] = partial(manifest)
    return row


def partial(manifest: Manifest) -> Manifest:
    """Return an object reduced to its metadata."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": manifest["metadata"]}


def columns_of(resource: Resource) -> tuple[Column, ...]:
    """Return the columns of a resource: its own, those that its definition declares, or name and age."""
    if resource.custom is not None and resource.custom.columns:
        return (NAME, *(_declared(column) for column in resource.custom.columns))
    return BY_KIND.get(resource.storage, (NAME, AGE))


def _declared(column: dict[str, Any]) -> Column:
    path, kind = column.get("jsonPath", ""), column.get("type", "string")

    def cell(manifest: Manifest, now: datetime) -> Any:
        found = at_path(manifest, path)
        if kind == "date":
            return age(found, now) if isinstance(found, str) else "<unknown>"
        return found

    return Column(column.get("name", ""), cell, kind, column.get("format", ""), column.get("priority", 0))


def at_path(value: Any, path: str) -> Any:
    """Return what a simple JSON path leads to, or None: `.spec.size`, `.items[0]`, `.conditions[?(@.type=="Ready")].status`."""
    for name, place, key, wanted, quoted in _STEP.findall(path):
        if name or quoted:
            value = value.get(name or quoted) if isinstance(value, dict) else None
        elif not isinstance(value, list):
            return None
        elif place:
            value = value[int(place)] if int(place) < len(value) else None
        else:
            value = next(
                (item for item in value if isinstance(item, dict) and str(item.get(key)) == wanted), None
            )
    return value
