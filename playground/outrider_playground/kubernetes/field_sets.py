"""Sets of field paths, kept in the very shape that `managedFields[].fieldsV1` has.

A set is a tree of dicts. A key names a step: `f:name` a field, `k:{...}` an item of a list by its keys, `v:...` an item of a set by its
value. A node that is empty, or holds ".", is itself in the set; a node that only has children is not. The root is the exception: an empty
root is the empty set. No function changes its arguments, and results share nodes with them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

Fields = dict[str, Any]

LEAF: Final[Fields] = {}
SELF: Final = "."

_encode: Final = json.JSONEncoder(separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode


def field_step(name: str) -> str:
    """Return the step to a named field."""
    return "f:" + name


def value_step(value: Any) -> str:
    """Return the step to an item of a set."""
    return "v:" + _encode(value)


def key_step(keys: dict[str, Any]) -> str:
    """Return the step to an item of a list that is told apart by these keys."""
    return "k:" + _encode(keys)


def is_member(node: Fields) -> bool:
    """Tell whether a node below the root is in the set itself."""
    return not node or SELF in node


def as_member(node: Fields) -> Fields:
    """Return the node as one that is in the set itself."""
    return node if is_member(node) else {SELF: LEAF, **node}


def union(left: Fields, right: Fields) -> Fields:
    """Return what is in either set."""
    if not left or not right:
        return left or right
    return _joined(left, right)


def _joined(left: Fields, right: Fields) -> Fields:
    out = dict(left)
    for step, node in right.items():
        mine = out.get(step)
        if mine is None or step == SELF:
            out[step] = node
        elif mine is not node:
            out[step] = _union_nodes(mine, node)
    return out


def _union_nodes(left: Fields, right: Fields) -> Fields:
    if not left:
        return as_member(right)
    if not right:
        return as_member(left)
    return _joined(left, right)


def difference(left: Fields, right: Fields) -> Fields:
    """Return what is in the left set and not in the right one; children of a removed path stay."""
    if not right:
        return left
    return _children(left, right, _difference_nodes)


def _difference_nodes(left: Fields, right: Fields) -> Fields | None:
    member = is_member(left) and not is_member(right)
    return _node(member, _children(left, right, _difference_nodes))


def without(left: Fields, excluded: Fields) -> Fields:
    """Return the left set without the excluded paths and all below them."""
    if not excluded:
        return left
    return _children(left, excluded, _without_nodes)


def _without_nodes(left: Fields, excluded: Fields) -> Fields | None:
    if is_member(excluded):
        return None
    return _node(is_member(left), _children(left, excluded, _without_nodes))


def _children(left: Fields, right: Fields, combine: Any) -> Fields:
    out: Fields = {}
    for step, node in left.items():
        if step == SELF:
            continue
        other = right.get(step)
        kept = node if other is None else combine(node, other)
        if kept is not None:
            out[step] = kept
    return out


def intersection(left: Fields, right: Fields) -> Fields:
    """Return what is in both sets."""
    out: Fields = {}
    for step, node in left.items():
        other = right.get(step) if step != SELF else None
        if other is None:
            continue
        both = _node(is_member(node) and is_member(other), intersection(node, other))
        if both is not None:
            out[step] = both
    return out


def _node(member: bool, children: Fields) -> Fields | None:
    if not children:
        return LEAF if member else None
    return {SELF: LEAF, **children} if member else children


def paths(fields: Fields, prefix: str = "") -> Iterator[str]:
    """List every path of the set as server-side apply's conflicts write it, such as `.spec.ports[port=80,protocol="TCP"].name`."""
    for step, node in sorted(fields.items()):
        if step == SELF:
            continue
        path = prefix + step_text(step)
        if is_member(node):
            yield path
        yield from paths(node, path)


def step_text(step: str) -> str:
    """Write one step as messages show it."""
    if step.startswith("f:"):
        return "." + step[2:]
    if step.startswith("k:"):
        keys = json.loads(step[2:])
        inner = ",".join(f"{key}={json.dumps(value)}" for key, value in sorted(keys.items()))
        return f"[{inner}]"
    return f"[={step[2:]}]"


def from_paths(*listed: tuple[str, ...]) -> Fields:
    """Build a set of paths of named fields."""
    root: Fields = {}
    for path in listed:
        added: Fields = LEAF
        for name in reversed(path):
            added = {field_step(name): added}
        root = union(root, added)
    return root
