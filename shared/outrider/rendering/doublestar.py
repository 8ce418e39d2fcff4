"""The patterns of value files: `*` and `?` stay within a folder, `**` crosses folders, `[a-z]` is a class, `{a,b}` alternatives.

As in bmatcuk/doublestar, which Argo CD uses. A backslash takes away a character's meaning.
"""

import re
from functools import lru_cache

_SIGNS = re.compile(r"[*?\[]")
_NESTING_MAX = 10


class InvalidPattern(ValueError):
    """A pattern that can't be read."""


def is_pattern(path: str) -> bool:
    """Tell whether a path stands for the files that match it."""
    return _SIGNS.search(path) is not None


def fixed_folder(pattern: str) -> str:
    """Return the folder that every match lies in ("." is the root)."""
    parts = pattern.split("/")
    fixed: list[str] = []
    for part in parts[:-1]:
        if _SIGNS.search(part) or "{" in part or "\\" in part:
            break
        fixed.append(part)
    return "/".join(fixed) or "."


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return an expression that matches the same paths as a whole; InvalidPattern if there is none."""
    expression = ""
    parts = pattern.split("/")
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**":
            # Any number of folders, none too; at the end, anything below.
            expression += r".+" if last else r"(?:[^/]+/)*"
            continue
        text, end = _part(part, 0, 0)
        if end < len(part):
            raise InvalidPattern("has a '}' without a '{'")
        expression += text if last else f"{text}/"
    return re.compile(expression, re.DOTALL)


def _part(part: str, at: int, nesting: int) -> tuple[str, int]:
    found: list[str] = []
    while at < len(part):
        char = part[at]
        if char == "}" or (char == "," and nesting):
            break
        if char == "*":
            # Runs of stars are one, so that nothing is searched for twice.
            if not found or found[-1] != "[^/]*":
                found.append("[^/]*")
            at += 1
        elif char == "?":
            found.append("[^/]")
            at += 1
        elif char == "[":
            text, at = _class(part, at + 1)
            found.append(text)
        elif char == "{":
            text, at = _alternatives(part, at + 1, nesting + 1)
            found.append(text)
        else:
            at += 1 if char == "\\" and at + 1 < len(part) else 0
            found.append(re.escape(part[at]))
            at += 1
    return "".join(found), at


def _class(part: str, at: int) -> tuple[str, int]:
    end = part.find("]", at + 1)
    if end < 0:
        raise InvalidPattern("has a '[' without a ']'")
    inside = part[at:end]
    negated = inside[0] in "!^"
    members = re.sub(r"([\\\[\]^&~|])", r"\\\1", inside[1:] if negated else inside)
    try:
        re.compile(f"[{members}]")
    except re.error:
        raise InvalidPattern(f"has a class [{inside}] that can't be read") from None
    return (f"(?!/)[^{members}]" if negated else f"(?!/)[{members}]"), end + 1


def _alternatives(part: str, at: int, nesting: int) -> tuple[str, int]:
    if nesting > _NESTING_MAX:
        raise InvalidPattern(f"is nested deeper than {_NESTING_MAX} levels")
    options: list[str] = []
    while True:
        option, at = _part(part, at, nesting)
        options.append(option)
        if at >= len(part):
            raise InvalidPattern("has a '{' without a '}'")
        at += 1
        if part[at - 1] == "}":
            return f"(?:{'|'.join(options)})", at
