"""Check an applied configuration against its type before anything is merged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .field_sets import field_step, step_text
from .list_items import TypingError, check_unique, item_step
from .values import json_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .schema import Schema


def type_errors(schema: Schema, value: Any, path: str = "") -> Iterator[TypingError]:
    """Find what in a value does not fit its type: undeclared fields, wrong types, two list items with the same keys."""
    if value is None or schema.shape == "any":
        return
    if schema.shape == "map":
        yield from _map_errors(schema, value, path)
    elif schema.shape == "list":
        yield from _list_errors(schema, value, path)
    else:
        wanted = _mismatch(schema.scalar, value)
        if wanted:
            yield TypingError(path, f"expected {wanted}, got {_shown(value)}")


def _map_errors(schema: Schema, value: Any, path: str) -> Iterator[TypingError]:
    if not isinstance(value, dict):
        yield TypingError(path, f"expected map, got {_shown(value)}")
        return
    for key, inner in value.items():
        below = path + step_text(field_step(key))
        field = schema.fields.get(key)
        if field is not None:
            yield from type_errors(field.schema, inner, below)
        elif schema.values is not None:
            yield from type_errors(schema.values, inner, below)
        else:
            yield TypingError(below, "field not declared in schema")


def _list_errors(schema: Schema, value: Any, path: str) -> Iterator[TypingError]:
    if not isinstance(value, list):
        yield TypingError(path, f"expected list, got {_shown(value)}")
        return
    if schema.associative:
        try:
            check_unique(schema, value)
        except TypingError as error:
            yield error.below(path)
            return
    for place, item in enumerate(value):
        step = step_text(item_step(schema, item)) if schema.associative else f"[{place}]"
        if schema.items is not None:
            yield from type_errors(schema.items, item, path + step)


def _mismatch(kind: str, value: Any) -> str:
    """Name what was expected, or return "" for a value that fits."""
    found = json_type(value)
    if kind in {"integer", "number"}:
        return "" if found == "number" else "numeric (int or float)"
    if kind == "boolean":
        return "" if found == "bool" else "boolean"
    if kind in {"string", "time", "bytes"}:
        return "" if found == "string" else "string"
    return "" if found in {"string", "number", "bool"} else "scalar"


def _shown(value: Any) -> str:
    found = json_type(value)
    return {"array": "list", "object": "map", "bool": "boolean"}.get(found, found)
