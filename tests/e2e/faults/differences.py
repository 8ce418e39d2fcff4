"""How two values differ, each difference in a line that a person can act on."""

from collections.abc import Iterator, Mapping
from typing import Any

SHOWN_MAX_CHARS = 120


def lacking(wanted: Any, there: Any, path: str = "") -> Iterator[str]:
    """Yield where `there` does not say what `wanted` says. What it says besides is its own (defaults, status)."""
    if isinstance(wanted, Mapping):
        if not isinstance(there, Mapping):
            yield f"{path}: is {short(there)}, not a map"
            return
        for key, value in wanted.items():
            if key not in there:
                yield f"{path}.{key}: is missing, should be {short(value)}"
            else:
                yield from lacking(value, there[key], f"{path}.{key}")
    elif isinstance(wanted, list):
        if not isinstance(there, list) or len(there) != len(wanted):
            yield f"{path}: is {short(there)}, should be {short(wanted)}"
            return
        for index, (one, other) in enumerate(zip(wanted, there, strict=True)):
            yield from lacking(one, other, f"{path}[{index}]")
    elif wanted != there:
        yield f"{path}: is {short(there)}, should be {short(wanted)}"


def between(what: str, wanted: Any, there: Any) -> Iterator[str]:
    """Yield both ways in which two values differ; they must be equal."""
    if wanted != there:
        found = [*lacking(wanted, there), *(f"{one} (the other way round)" for one in lacking(there, wanted))]
        yield from (f"{what}{one}" for one in found[:5])


def short(value: object) -> str:
    """Return a value for a line."""
    text = repr(value)
    return text if len(text) <= SHOWN_MAX_CHARS else f"{text[: SHOWN_MAX_CHARS - 1]}…"
