"""What a plain scalar stands for: the rules of go-yaml v2, then those of Go's JSON, which kubectl applies one after the other.

So a float without a fraction comes out as an integer, and what fits no 64-bit integer as a float.
"""

import base64
import re
from decimal import Decimal
from functools import lru_cache

from outrider.rendering.kubeyaml.bounds import InvalidDocument

Scalar = str | int | float | bool | None

_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS |= dict.fromkeys(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"], True)
_WORDS |= dict.fromkeys(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"], False)
_NOT_FINITE = frozenset(
    [".nan", ".NaN", ".NAN"] + [sign + word for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")]
)

_NUMERIC = re.compile(r"[-+.0-9]")
_INTEGER = re.compile(r"([-+]?)(0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|0[0-7]*|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_STRAY_UNDERSCORE = re.compile(r"(?<![0-9])_|_(?![0-9])")
_DIGITS_MAX = 400
# The longest finite double has 309 digits before its point; turning more digits into a number takes quadratic time.

_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1
_UINT64_MAX = 2**64 - 1
_EXPONENT_FROM = 1e21
# From here on Go writes a float with an exponent, and kubectl reads it back as a float.


@lru_cache(maxsize=4096)
def resolve(text: str) -> Scalar:
    """Return the value of a plain scalar without a tag, as go-yaml does; InvalidDocument for an infinity or no number.

    `normal` gives what Go's JSON makes of it.
    """
    if text in _WORDS:
        return _WORDS[text]
    if not _NUMERIC.match(text):
        return text
    if text in _NOT_FINITE:
        raise InvalidDocument(f"{text} has no form in JSON; quote it if text is meant")
    if text.startswith(".") and _STRAY_UNDERSCORE.search(text):
        # After a leading point go-yaml takes underscores between digits alone, elsewhere anywhere.
        return text
    number = _number(text.replace("_", ""))
    return text if number is None else number


def _number(plain: str) -> int | float | None:
    if len(plain) > _DIGITS_MAX:
        return None
    if match := _INTEGER.fullmatch(plain):
        integer = _integer(*match.groups())
        if _INT64_MIN <= integer <= _UINT64_MAX:
            return integer
    if _FLOAT.fullmatch(plain):
        value = float(plain)
        return None if value in {float("inf"), float("-inf")} else value
    return None


def _integer(sign: str, digits: str) -> int:
    base = {"x": 16, "o": 8, "b": 2}.get(digits[1:2].lower())
    value = int(digits[2:], base) if base else int(digits, 8 if digits.startswith("0") else 10)
    return -value if sign == "-" else value


def normal(value: Scalar) -> Scalar:
    """Return a scalar as it is after a passage through Go's JSON."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return value if _INT64_MIN <= value <= _INT64_MAX else float(value)
    if value.is_integer() and abs(value) < _EXPONENT_FROM:
        # Go writes the shortest digits that give the float back, then zeros, and reads those.
        written = int(Decimal(repr(value)))
        return written if _INT64_MIN <= written <= _INT64_MAX else value
    return value


def tagged(tag: str, text: str) -> Scalar:
    """Return the value of a scalar with an explicit tag; InvalidDocument if the text does not fit it."""
    match tag.removeprefix("tag:yaml.org,2002:"):
        case "str" | "timestamp":
            return text
        case "binary":
            return _binary(text)
        case "null" if resolve(text) is None:
            return None
        case "bool" if isinstance(resolve(text), bool):
            return resolve(text)
        case ("int" | "float") as name if isinstance(resolve(text), int | float) and not isinstance(
            resolve(text), bool
        ):
            value = resolve(text)
            if name == "int" and not isinstance(value, int):
                raise InvalidDocument(f"{text[:80]!r} is no integer")
            return value
        case "null" | "bool" | "int" | "float" as name:
            raise InvalidDocument(f"{text[:80]!r} is no {name}")
        case _:
            # go-yaml gives a scalar with a tag of the file's own as its text.
            return text


def key(value: Scalar) -> str:
    """Return a mapping's key as JSON needs it, in the way kubectl does."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value <= _INT64_MAX:
        return str(value)
    if value is None:
        raise InvalidDocument("a key is empty (null); quote it if text is meant")
    raise InvalidDocument(f"a key is the number {value}; quote it")


def _binary(text: str) -> str:
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode()
    except ValueError:
        raise InvalidDocument("!!binary holds no base64 of text") from None
