"""Settings by kind: `<group>/<Kind>`, either of which may hold wildcards; the core group is left out or empty.

A name beats a pattern. Of several patterns that match, the first in alphabetical order counts, so that every
agent picks the same.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

_WILD = "*?["


class ByKind(Generic[T]):
    """Entries by kind."""

    def __init__(self, entries: Mapping[str, T]) -> None:
        self._exact = {key.lstrip("/"): entry for key, entry in entries.items() if not _is_wild(key)}
        self._wild = sorted((key, entry) for key, entry in entries.items() if _is_wild(key))
        self._found: dict[tuple[str, str], T | None] = {}

    def find(self, group: str, kind: str) -> T | None:
        """Return what is set for a kind."""
        sort = group, kind
        if sort not in self._found:
            self._found[sort] = self._look(group, kind)
        return self._found[sort]

    def _look(self, group: str, kind: str) -> T | None:
        name = f"{group}/{kind}" if group else kind
        if name in self._exact:
            return self._exact[name]
        for pattern, entry in self._wild:
            # `*/*` is every kind, those of the core group too.
            if fnmatchcase(name, pattern) or (not group and fnmatchcase(f"/{kind}", pattern)):
                return entry
        return None


def _is_wild(key: str) -> bool:
    return any(mark in key for mark in _WILD)
