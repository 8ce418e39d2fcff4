"""Pages of a list, and the arguments that ask for them. A wrong argument is refused by name."""

from typing import Any

from outrider import codec
from outrider.bus.services import RequestRefused

LIMIT = 100
LIMIT_MAX = 500
ANSWER_MAX_BYTES = 900 << 10
# Below the largest message, with room for what is around the items.


class Page:
    """Items up to a limit in number and bytes; `last`: after which one the next page begins."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._left_bytes = ANSWER_MAX_BYTES
        self._items: list[dict[str, Any]] = []
        self.last: str | int = ""

    def add(self, item: dict[str, Any]) -> bool:
        """Add an item, if it has room."""
        size_bytes = len(codec.canonical(item))
        if len(self._items) >= self._limit or (self._items and size_bytes > self._left_bytes):
            return False
        self._left_bytes -= size_bytes
        self._items.append(item)
        return True

    def answer(self, *, more: bool) -> dict[str, Any]:
        """Return the page."""
        return {"items": self._items, "next": self.last if more else None}


def text(asked: dict[str, Any], field: str) -> str:
    """Return a text argument; empty if there is none."""
    value = asked.get(field)
    if value is not None and not isinstance(value, str):
        raise RequestRefused(f"`{field}` must be text")
    return value or ""


def one_of(asked: dict[str, Any], field: str, words: tuple[str, ...]) -> str:
    """Return a text argument that must be one of some words."""
    value = text(asked, field)
    if value not in words:
        raise RequestRefused(f"`{field}` must be one of {', '.join(words)}")
    return value


def number(asked: dict[str, Any], field: str, default: int) -> int:
    """Return an argument that is a number and not negative."""
    value = asked.get(field)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise RequestRefused(f"`{field}` must be a number, 0 or more")
    return value


def limit(asked: dict[str, Any], default: int = LIMIT) -> int:
    """Return how many items a page may have."""
    value = number(asked, "limit", default)
    if not 1 <= value <= LIMIT_MAX:
        raise RequestRefused(f"`limit` must be from 1 to {LIMIT_MAX}")
    return value
