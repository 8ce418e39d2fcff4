"""The patterns of `directory.include` and `directory.exclude`, as Argo CD understands them.

`*` matches any characters, `/` too; `?` one character; `[a-z]` and `[!a-z]` one of a class; `{a,b}` one of several patterns; a
backslash takes away a character's meaning.
"""

import re

_NESTING_MAX = 10


class InvalidPattern(ValueError):
    """A pattern that can't be read."""


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return a regular expression that matches the same paths as a whole."""
    expression, at = _sequence(pattern, 0, 0)
    if at < len(pattern):
        raise InvalidPattern("has a '}' without a '{'")
    return re.compile(expression, re.DOTALL)


def _sequence(pattern: str, at: int, nesting: int) -> tuple[str, int]:
    """Translate up to the end, or up to what ends an alternative."""
    parts: list[str] = []
    while at < len(pattern):
        char = pattern[at]
        if char == "}" or (char == "," and nesting):
            break
        if char == "*":
            # Two stars match what one does. The group is atomic in effect: what follows a run of stars is searched for once.
            if not parts or parts[-1] != ".*":
                parts.append(".*")
            at += 1
        elif char == "?":
            parts.append(".")
            at += 1
        elif char == "[":
            part, at = _class(pattern, at + 1)
            parts.append(part)
        elif char == "{":
            part, at = _alternatives(pattern, at + 1, nesting + 1)
            parts.append(part)
        else:
            at += 1 if char == "\\" and at + 1 < len(pattern) else 0
            parts.append(re.escape(pattern[at]))
            at += 1
    return "".join(parts), at


def _class(pattern: str, at: int) -> tuple[str, int]:
    end = pattern.find("]", at + 1)
    if end < 0:
        raise InvalidPattern("has a '[' without a ']'")
    inside = pattern[at:end]
    negated = inside.startswith("!")
    members = re.sub(r"([\\\[\]^&~|])", r"\\\1", inside.removeprefix("!"))
    return f"[{'^' if negated else ''}{members}]", end + 1


def _alternatives(pattern: str, at: int, nesting: int) -> tuple[str, int]:
    if nesting > _NESTING_MAX:
        raise InvalidPattern(f"is nested deeper than {_NESTING_MAX} levels")
    options: list[str] = []
    while True:
        option, at = _sequence(pattern, at, nesting)
        options.append(option)
        if at >= len(pattern):
            raise InvalidPattern("has a '{' without a '}'")
        at += 1
        if pattern[at - 1] == "}":
            return f"(?:{'|'.join(options)})", at
