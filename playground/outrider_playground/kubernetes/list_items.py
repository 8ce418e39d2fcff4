"""How the items of an associative list are told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .field_sets import key_step, step_text, value_step
from .values import ABSENT

if TYPE_CHECKING:
    from .schema import Schema


class TypingError(Exception):
    """A value does not fit its type. `path` is written as server-side apply writes it: `.spec.ports[port=80]`."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem

    def below(self, prefix: str) -> TypingError:
        """Return the same error as seen from further up."""
        return TypingError(prefix + self.path, self.problem)


def item_step(schema: Schema, item: Any) -> str:
    """Return the step that names this item of the list; missing keys take their defaults."""
    if schema.is_set:
        if isinstance(item, dict | list) or item is None:
            raise TypingError("", "associative list without keys has an element that's not a scalar")
        return value_step(item)
    if not isinstance(item, dict):
        raise TypingError("", "associative list with keys may not have non-map elements")
    keys = {}
    for key in schema.keys:
        value = item.get(key, ABSENT)
        if value is ABSENT:
            value = schema.key_default(key)
        if value is not ABSENT:
            keys[key] = value
    if not keys:
        raise TypingError(
            "", f"associative list with keys has an element that omits all key fields {list(schema.keys)}"
        )
    return key_step(keys)


def index(schema: Schema, items: list[Any]) -> dict[str, list[Any]]:
    """Group the items by their steps, in order of first appearance. More than one item under a step is a duplicate."""
    out: dict[str, list[Any]] = {}
    for item in items:
        out.setdefault(item_step(schema, item), []).append(item)
    return out


def check_unique(schema: Schema, items: list[Any]) -> None:
    """Refuse a list in which two items have the same keys."""
    seen = set()
    for place, item in enumerate(items):
        try:
            step = item_step(schema, item)
        except TypingError as error:
            raise TypingError("", f"element {place}: {error.problem}") from None
        if step in seen:
            raise TypingError("", f"duplicate entries for key {step_text(step)}")
        seen.add(step)
