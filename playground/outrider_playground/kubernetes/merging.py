"""Merge an applied configuration into a live object: the configuration wins, and what it does not name stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .list_items import TypingError, index, item_step
from .values import ABSENT

if TYPE_CHECKING:
    from .schema import Schema


def merge(schema: Schema, live: Any, config: Any) -> Any:
    """Merge values of this type. Shares parts with both arguments."""
    merged = _merge(schema, live, config)
    return None if merged is ABSENT else merged


def _merge(schema: Schema, live: Any, config: Any) -> Any:
    if config is ABSENT:
        return live
    if schema.atomic or schema.shape == "scalar":
        return config
    if isinstance(config, list):
        return _merge_lists(schema, live, config) if schema.associative else config
    if isinstance(config, dict):
        return _merge_maps(schema, live if isinstance(live, dict) else {}, config)
    return live if config is None and isinstance(live, dict | list) and live else config


def _merge_maps(schema: Schema, live: dict[str, Any], config: dict[str, Any]) -> Any:
    if not config:
        return live or config
    out = dict(live)
    for key, value in config.items():
        merged = _merge(schema.child(key), live.get(key, ABSENT), value)
        if merged is not ABSENT:
            out[key] = merged
    return out


def _merge_lists(schema: Schema, live: Any, config: list[Any]) -> Any:
    lives = live if isinstance(live, list) else []
    if not lives or not config:
        return config or (lives if lives else config)
    by_step = {step: items[0] if len(items) == 1 else ABSENT for step, items in index(schema, lives).items()}
    wanted = _unique(schema, config)
    return [_merged_item(schema, step, by_step, wanted) for step in _order([*by_step], [*wanted])]


def _merged_item(schema: Schema, step: str, lives: dict[str, Any], wanted: dict[str, Any]) -> Any:
    assert schema.items is not None  # noqa: S101  # a list's type always has items
    return _merge(schema.items, lives.get(step, ABSENT), wanted.get(step, ABSENT))


def _unique(schema: Schema, config: list[Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for item in config:
        step = item_step(schema, item)
        if step in out:
            raise TypingError("", f"duplicate entries for key {step}")
        out[step] = item
    return out


def _order(lives: list[str], wanted: list[str]) -> list[str]:
    """Order the union of both.

    Shared items come in the order wanted; an item that only the live list has stays before the shared item that it preceded.
    """
    in_live, in_wanted = set(lives), set(wanted)
    shared = iter([step for step in wanted if step in in_live])
    next_shared = next(shared, None)
    out: list[str] = []
    emitted: set[str] = set()
    left, right = lives[::-1], wanted[::-1]
    while left or right:
        step = left[-1] if left else None
        if step is not None and step not in in_wanted:
            out.append(step)
            left.pop()
        elif step is not None and (step in emitted or (right and step != next_shared and step != right[-1])):
            left.pop()
        else:
            taken = right.pop()
            out.append(taken)
            emitted.add(taken)
            if taken == next_shared:
                next_shared = next(shared, None)
    return out
