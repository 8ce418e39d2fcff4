"""The set of field paths that a configuration names: what its applier owns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .field_sets import LEAF, Fields, as_member, field_step
from .list_items import index

if TYPE_CHECKING:
    from .schema import Schema


def fields_of(schema: Schema, value: Any) -> Fields:
    """Return every path of an object: its leaves, empty and null maps, undeclared keys and list items."""
    return _node(schema, value) or {}


def _node(schema: Schema, value: Any) -> Fields | None:
    if isinstance(value, dict) and schema.shape in {"map", "any"}:
        return LEAF if schema.atomic else _map_node(schema, value)
    if isinstance(value, list) and schema.associative:
        return _list_node(schema, value)
    if value is None and schema.shape in {"map", "list"} and not schema.atomic:
        return None
    return LEAF


def _map_node(schema: Schema, value: dict[str, Any]) -> Fields | None:
    out: Fields = {}
    for key, inner in value.items():
        node = _node(schema.child(key), inner)
        if inner is None or inner == {}:
            node = LEAF
        elif key not in schema.fields:
            node = as_member(node or LEAF)
        if node is not None:
            out[field_step(key)] = node
    return out or None


def _list_node(schema: Schema, value: list[Any]) -> Fields | None:
    items = schema.items
    assert items is not None  # noqa: S101  # a list's type always has items
    out: Fields = {}
    for step, found in index(schema, value).items():
        out[step] = as_member(_node(items, found[0]) or LEAF) if len(found) == 1 else LEAF
    return out or None


def with_named_fields(schema: Schema, fields: Fields) -> Fields:
    """Make every declared field that only has children a member itself, at all depths.

    Removing a set then removes a struct whose fields were all removed, and not only its leaves.
    """
    out: Fields = {}
    for step, node in fields.items():
        if not node:
            out[step] = node
            continue
        inner, declared = _descend(schema, step)
        grown = with_named_fields(inner, node) if inner is not None else node
        out[step] = as_member(grown) if declared else grown
    return out


def _descend(schema: Schema, step: str) -> tuple[Schema | None, bool]:
    if step.startswith("f:") and schema.shape in {"map", "any"}:
        name = step[2:]
        return schema.child(name), name in schema.fields
    if step.startswith("k:"):
        return schema.items, False
    return None, False
