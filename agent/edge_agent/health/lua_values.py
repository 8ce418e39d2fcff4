"""Values between Python and Lua: plain tables, no Python object within reach of a script.

Into Lua: maps and lists become tables, lists count from 1, null is absent. Out of Lua: a table whose keys are
1..n is a list, any other a map; whole numbers are integers again. An empty table doesn't say which it was and
comes out as a list; `mend` makes it what stood in that place before.
"""

from __future__ import annotations

import math
import sys
from itertools import islice
from typing import Any

# Of a value that a script returns.
MAX_DEPTH = 64
MAX_NODES = 100_000

_EXACT = 2**53
"""Beyond it, Lua's numbers skip integers."""
_LARGEST = int(sys.float_info.max)


class UnreadableValue(Exception):
    """A value that JSON has no word for; the message says which."""


def plain(value: Any) -> Any:
    """Return a JSON value with what Lua can't take replaced: integers beyond 64 bits, text that isn't
    Unicode.
    """
    if isinstance(value, dict):
        return {plain(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, int) and abs(value) > _EXACT:
        return float(max(-_LARGEST, min(value, _LARGEST)))
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    return value


def from_lua(value: Any, table: type[Any]) -> Any:
    """Return a value that came out of Lua as JSON. `table` is the interpreter's type of tables. Raises
    `UnreadableValue`.
    """
    return _Reader(table).read(value, 0)


def mend(value: Any, like: Any) -> Any:
    """Return a value that went through Lua with what Lua can't tell as it was before, in `like`: empty maps,
    integers beyond what Lua counts exactly, floats that are whole.
    """
    if isinstance(value, dict):
        before = like if isinstance(like, dict) else {}
        return {key: mend(inner, before.get(key)) for key, inner in value.items()}
    if isinstance(value, list):
        if not value and isinstance(like, dict):
            return {}
        former = like if isinstance(like, list) else []
        return [
            mend(inner, former[index] if index < len(former) else None) for index, inner in enumerate(value)
        ]
    if _is_number(value) and _is_number(like) and float(like) == float(value):
        return like
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class _Reader:
    def __init__(self, table: type[Any]) -> None:
        self._table = table
        self._nodes = 0

    def read(self, value: Any, depth: int) -> Any:
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            raise UnreadableValue("a table that is too deep, too big, or part of itself")
        if value is None or isinstance(value, (bool, str, int)):
            return value
        if isinstance(value, float):
            return _number(value)
        if isinstance(value, self._table):
            # Not all of what may be millions, to find out that they are too many.
            return self._read_table(dict(islice(value.items(), MAX_NODES + 1)), depth + 1)
        raise UnreadableValue("a value that is no text, number, truth value or table")

    def _read_table(self, items: dict[Any, Any], depth: int) -> Any:
        if all(isinstance(key, str) for key in items) and items:
            return {key: self.read(inner, depth) for key, inner in items.items()}
        if any(isinstance(key, str) for key in items):
            raise UnreadableValue("a table with both numbers and names as keys")
        if any(index not in items for index in range(1, len(items) + 1)):
            raise UnreadableValue("a list with holes")
        return [self.read(items[index], depth) for index in range(1, len(items) + 1)]


def _number(value: float) -> int | float:
    if not math.isfinite(value):
        raise UnreadableValue("a number without a value")
    return int(value) if value.is_integer() and abs(value) <= _EXACT else value
