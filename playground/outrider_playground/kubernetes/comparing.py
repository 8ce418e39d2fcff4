"""What differs between two versions of an object, as sets of field paths.

The rules are those of structured-merge-diff's typed comparison: only leaves count, an atomic map or list is a leaf, and so is a map or list
that is empty on both sides; a map or list item that appears or vanishes as a whole counts itself, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .field_sets import LEAF, Fields, as_member, field_step, union, without
from .list_items import index
from .values import ABSENT

if TYPE_CHECKING:
    from .schema import Schema

_Node = Fields | None
_Nodes = tuple[_Node, _Node, _Node]
_SAME: Final[_Nodes] = (None, None, None)


class Comparison(NamedTuple):
    """The paths that the second version lacks, has with other values, and has on top."""

    removed: Fields
    modified: Fields
    added: Fields

    def ignoring(self, excluded: Fields) -> Comparison:
        """Leave out these paths and all below them."""
        if not excluded:
            return self
        return Comparison(
            without(self.removed, excluded), without(self.modified, excluded), without(self.added, excluded)
        )

    @property
    def changed(self) -> Fields:
        """What a writer of the second version takes ownership of."""
        return union(self.modified, self.added)


def compare(schema: Schema, old: Any, new: Any) -> Comparison:
    """Compare two versions of an object of this type."""
    removed, modified, added = _compare(schema, old, new)
    return Comparison(removed or {}, modified or {}, added or {})


def _compare(schema: Schema, old: Any, new: Any) -> _Nodes:
    if old is new or old == new:
        return _SAME
    shapes = _shapes(schema, old, new)
    if len(shapes) == 2:
        first, second = (_compare_as(shape, schema, old, new) for shape in shapes)
        return _both(first, second)
    return _compare_as(shapes[0], schema, old, new)


def _compare_as(shape: str, schema: Schema, old: Any, new: Any) -> _Nodes:
    if shape == "scalar" or schema.atomic or (shape == "list" and not schema.associative):
        return _leaf(old, new)
    kind = dict if shape == "map" else list
    left = old if isinstance(old, kind) else kind()
    right = new if isinstance(new, kind) else kind()
    if not left and not right:
        return _leaf(old, new)
    nodes = _compare_maps(schema, left, right) if shape == "map" else _compare_lists(schema, left, right)  # type: ignore[arg-type]
    removed, modified, added = nodes
    if old is ABSENT:
        return removed, modified, as_member(added) if added else LEAF
    if new is ABSENT:
        return as_member(removed) if removed else LEAF, modified, added
    return nodes


def _shapes(schema: Schema, old: Any, new: Any) -> tuple[str, ...]:
    if schema.shape != "any":
        return (schema.shape,)
    seen = dict.fromkeys(
        _shape_of(value) for value in (old, new) if value is not ABSENT and value is not None
    )
    return tuple(seen) or ("scalar",)


def _shape_of(value: Any) -> str:
    if isinstance(value, dict):
        return "map"
    return "list" if isinstance(value, list) else "scalar"


def _leaf(old: Any, new: Any) -> _Nodes:
    if old is ABSENT:
        return None, None, LEAF
    if new is ABSENT:
        return LEAF, None, None
    return None, LEAF, None


def _compare_maps(schema: Schema, old: dict[str, Any], new: dict[str, Any]) -> _Nodes:
    collected = _Collected()
    for key, value in old.items():
        collected.put(field_step(key), _compare(schema.child(key), value, new.get(key, ABSENT)))
    for key, value in new.items():
        if key not in old:
            collected.put(field_step(key), _compare(schema.child(key), ABSENT, value))
    return collected.nodes()


def _compare_lists(schema: Schema, old: list[Any], new: list[Any]) -> _Nodes:
    collected = _Collected()
    olds, news = index(schema, old), index(schema, new)
    for step in dict.fromkeys([*olds, *news]):
        collected.put(step, _compare_items(schema, olds.get(step, []), news.get(step, [])))
    return collected.nodes()


def _compare_items(schema: Schema, old: list[Any], new: list[Any]) -> _Nodes:
    items = schema.items
    assert items is not None  # noqa: S101  # a list's type always has items
    if len(old) <= 1 and len(new) <= 1:
        return _compare(items, old[0] if old else ABSENT, new[0] if new else ABSENT)
    if len(old) > 1 and len(new) > 1:
        return _SAME if old == new else (None, LEAF, None)
    if len(old) > 1:
        return _both(_compare(items, ABSENT, new[0]) if new else _SAME, (LEAF, None, None))
    return _both(_compare(items, old[0], ABSENT) if old else _SAME, (None, None, LEAF))


def _both(first: _Nodes, second: _Nodes) -> _Nodes:
    joined = []
    for one, other in zip(first, second, strict=True):
        if one is None or other is None:
            joined.append(other if one is None else one)
        else:
            joined.append(union({"f:": one}, {"f:": other})["f:"])
    return joined[0], joined[1], joined[2]


class _Collected:
    """Children's results, gathered under their steps."""

    __slots__ = ("added", "modified", "removed")

    def __init__(self) -> None:
        self.removed: Fields = {}
        self.modified: Fields = {}
        self.added: Fields = {}

    def put(self, step: str, nodes: _Nodes) -> None:
        if nodes is _SAME:
            return
        removed, modified, added = nodes
        if removed is not None:
            self.removed[step] = removed
        if modified is not None:
            self.modified[step] = modified
        if added is not None:
            self.added[step] = added

    def nodes(self) -> _Nodes:
        return self.removed or None, self.modified or None, self.added or None
