"""Take a set of field paths out of a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .field_sets import Fields, field_step, is_member
from .list_items import item_step

if TYPE_CHECKING:
    from .schema import Schema


def remove(schema: Schema, value: Any, fields: Fields) -> Any:
    """Return the value without these paths; a map or list that loses all it held becomes None.

    Nothing inside an atomic map or list can be removed: only the whole is a path.
    """
    if not fields or schema.atomic:
        return value if not fields else _whole(value)
    if isinstance(value, dict) and schema.shape in {"map", "any"}:
        return _remove_from_map(schema, value, fields)
    if isinstance(value, list) and schema.shape in {"list", "any"}:
        return _remove_from_list(schema, value, fields)
    return value


def _whole(value: Any) -> Any:
    return None if isinstance(value, dict | list) else value


def _remove_from_map(schema: Schema, value: dict[str, Any], fields: Fields) -> Any:
    out = {}
    for key, inner in value.items():
        node = fields.get(field_step(key))
        if node is None:
            out[key] = inner
        elif not is_member(node):
            out[key] = remove(schema.child(key), inner, node)
    return out or None


def _remove_from_list(schema: Schema, value: list[Any], fields: Fields) -> Any:
    if not schema.associative or schema.items is None:
        return None
    out = []
    for item in value:
        node = fields.get(item_step(schema, item))
        if node is None:
            out.append(item)
        elif not is_member(node):
            out.append(remove(schema.items, item, node))
    return out or None
