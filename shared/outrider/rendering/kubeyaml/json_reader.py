"""Read the documents of a JSON file, as kubectl reads them: one object after the other, the last of equal keys counts."""

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from outrider.rendering.kubeyaml.bounds import Bounds, InvalidDocument, LimitExceeded
from outrider.rendering.kubeyaml.reader import Document
from outrider.rendering.kubeyaml.scalars import normal

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_DIGITS_MAX = 400
# See scalars.py: no double has more, and longer ones take quadratic time.


def _integer(text: str) -> Any:
    if len(text) > _DIGITS_MAX:
        raise InvalidDocument(f"a number has more than {_DIGITS_MAX} digits")
    return normal(int(text))


def _float(text: str) -> Any:
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        raise InvalidDocument(f"the number {text[:40]} is too large")
    return value


def _no_constant(name: str) -> NoReturn:
    raise InvalidDocument(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_int=_integer, parse_float=_float, parse_constant=_no_constant)


def read_json(data: bytes, bounds: Bounds) -> Iterator[Document]:
    """Yield each document of the file; InvalidDocument, with its line where it is known, if one can't be read."""
    if len(data) > bounds.max_bytes:
        raise LimitExceeded(f"has {len(data)} bytes, more than the {bounds.max_bytes} allowed")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidDocument("is not UTF-8") from None
    _check_depth(text, bounds.max_depth)
    at = _skip_space(text, 0)
    while at < len(text):
        try:
            value, end = _DECODER.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise InvalidDocument(error.msg, error.lineno) from None
        if value is not None:
            yield Document(_mended(value) if _SURROGATE.search(text) else value, text.count("\n", 0, at) + 1)
        at = _skip_space(text, end)


def _mended(value: Any) -> Any:
    """Replace halves of characters (`\\ud83d` alone), as Go does. The depth is bounded by now."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {_mended(key): _mended(item) for key, item in value.items()}
    return value


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _check_depth(text: str, max_depth: int) -> None:
    """Refuse a nesting that the decoder, which recurses, could not survive; brackets inside strings don't count."""
    depth, in_string, escaped = 0, False, False
    for char in text:
        if in_string:
            in_string, escaped = escaped or char != '"', char == "\\" and not escaped
        elif char == '"':
            in_string = True
        elif char in "[{":
            depth += 1
            if depth > max_depth:
                raise LimitExceeded(f"is nested deeper than {max_depth} levels")
        elif char in "]}":
            depth -= 1
