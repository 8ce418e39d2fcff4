"""Patterns of names and addresses, as Argo CD's projects and windows write them (gobwas/glob).

`*` matches any characters but the separator, `**` those too, `?` one character but the separator, `[a-z]` and `[!a-z]` one of a
class, `{a,b}` one of several patterns; a backslash takes away a character's meaning. Without a separator `*` matches anything.

A pattern is matched by following all its positions at once: the time grows with the length of pattern times text, whatever a
stranger wrote.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

PATTERN_MAX_CHARS = 1024
_ALTERNATIVES_MAX = 256
_STARS_MAX = 32
_CACHED = 4096


class InvalidGlob(ValueError):
    """A pattern that can't be read."""


@dataclass(frozen=True, slots=True)
class _One:
    """One character: of `ranges`, or not of them."""

    ranges: tuple[tuple[str, str], ...]
    negated: bool = False

    def takes(self, char: str) -> bool:
        return any(low <= char <= high for low, high in self.ranges) != self.negated


@dataclass(frozen=True, slots=True)
class _Many:
    """Any number of characters, none of them in `but`."""

    but: str


_Part = str | _One | _Many
# A text is one literal character.


def matches(pattern: str, text: str, separator: str = "") -> bool:
    """Tell whether a pattern matches a text as a whole; InvalidGlob if it is none."""
    return any(_follow(parts, text) for parts in _compiled(pattern, separator))


def check(pattern: str) -> str:
    """Return a pattern that can be read; InvalidGlob otherwise."""
    _compiled(pattern, "")
    return pattern


def expanded(pattern: str) -> list[str]:
    """Return the patterns that a pattern with `{a,b}` stands for, each without braces; InvalidGlob if it is none."""
    check(pattern)
    return _expanded(pattern)


@lru_cache(maxsize=_CACHED)
def _compiled(pattern: str, separator: str) -> tuple[tuple[_Part, ...], ...]:
    if len(pattern) > PATTERN_MAX_CHARS:
        raise InvalidGlob(f"has more than {PATTERN_MAX_CHARS} characters")
    return tuple(_parts(plain, separator) for plain in _expanded(pattern))


def _expanded(pattern: str) -> list[str]:
    """Write every alternative out."""
    choices: list[list[str]] = [[""]]
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            choices.append([pattern[at : at + 2]])
            at += 2
        elif char == "[":
            end = _class_end(pattern, at)
            choices.append([pattern[at:end]])
            at = end
        elif char == "{":
            options, at = _options(pattern, at + 1)
            choices.append(options)
        elif char == "}":
            raise InvalidGlob("has a '}' without a '{'")
        else:
            choices.append([char])
            at += 1
        if _size(choices) > _ALTERNATIVES_MAX:
            raise InvalidGlob(f"stands for more than {_ALTERNATIVES_MAX} patterns")
    return ["".join(chosen) for chosen in product(*choices)]


def _size(choices: list[list[str]]) -> int:
    size = 1
    for options in choices:
        size *= len(options)
    return size


def _options(pattern: str, at: int) -> tuple[list[str], int]:
    """Return the patterns of `{a,b}` and the position after it. One brace inside another is none that anybody writes."""
    end = pattern.find("}", at)
    inside = pattern[at:end]
    if end < 0:
        raise InvalidGlob("has a '{' without a '}'")
    if "{" in inside:
        raise InvalidGlob("has braces within braces")
    return inside.split(","), end + 1


def _class_end(pattern: str, at: int) -> int:
    end = pattern.find("]", at + 2)
    if end < 0:
        raise InvalidGlob("has a '[' without a ']'")
    return end + 1


def _parts(pattern: str, separator: str) -> tuple[_Part, ...]:
    parts: list[_Part] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "*":
            stars = len(pattern[at:]) - len(pattern[at:].lstrip("*"))
            parts.append(_Many(separator if stars == 1 else ""))
            at += stars
            if sum(isinstance(part, _Many) for part in parts) > _STARS_MAX:
                raise InvalidGlob(f"has more than {_STARS_MAX} stars")
        elif char == "?":
            parts.append(_One(((separator, separator),) if separator else (), negated=True))
            at += 1
        elif char == "[":
            end = _class_end(pattern, at)
            parts.append(_one_of(pattern[at + 1 : end - 1]))
            at = end
        else:
            at += 1 if char == "\\" and at + 1 < len(pattern) else 0
            parts.append(pattern[at])
            at += 1
    return tuple(parts)


def _one_of(inside: str) -> _One:
    members = inside.removeprefix("!").removeprefix("^")
    ranges: list[tuple[str, str]] = []
    at = 0
    while at < len(members):
        if members[at + 1 : at + 2] == "-" and at + 2 < len(members):
            ranges.append((members[at], members[at + 2]))
            at += 3
        else:
            ranges.append((members[at], members[at]))
            at += 1
    return _One(tuple(ranges), negated=inside[:1] in ("!", "^"))


def _follow(parts: tuple[_Part, ...], text: str) -> bool:
    """Follow every position that the text so far may have led to."""
    places = _beyond_many(parts, {0})
    for char in text:
        after: set[int] = set()
        for place in places:
            part = parts[place] if place < len(parts) else None
            if isinstance(part, _Many):
                if char not in part.but:
                    after.add(place)
            elif part == char or (isinstance(part, _One) and part.takes(char)):
                after.add(place + 1)
        places = _beyond_many(parts, after)
        if not places:
            return False
    return len(parts) in places


def _beyond_many(parts: tuple[_Part, ...], places: set[int]) -> set[int]:
    """Add the places that are reached without a character: `*` may stand for nothing."""
    found = set(places)
    for place in places:
        at = place
        while at < len(parts) and isinstance(parts[at], _Many):
            at += 1
            found.add(at)
    return found
