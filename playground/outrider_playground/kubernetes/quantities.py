"""Kubernetes quantities in the one form that the API server writes them back: "0.5" as "500m", "1024Mi" as "1Gi"."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from functools import lru_cache
from typing import Final

_FORM: Final = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))([a-zA-Z]{0,2}|[eE][+-]?\d+)")
_BINARY: Final = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BY_EXPONENT: Final = {exponent: suffix for suffix, exponent in _DECIMAL.items()}


class QuantityError(ValueError):
    """A string is no quantity."""


@lru_cache(maxsize=1024)
def canonical(text: str) -> str:
    """Return the quantity as the server writes it: no fraction, and the largest suffix that allows that.

    The suffix family (binary, decimal, exponent) of the input is kept, save that a binary quantity with a fraction of a byte turns decimal.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise QuantityError(text)
    number, suffix = Decimal(match[1]), match[2]
    if suffix in _BINARY[1:]:
        return _binary(number * 1024 ** _BINARY.index(suffix))
    if suffix in _DECIMAL:
        return _decimal(number * Decimal(10) ** _DECIMAL[suffix], exponents=False)
    try:
        return _decimal(number * Decimal(10) ** int(suffix[1:]), exponents=True)
    except (ValueError, InvalidOperation):
        raise QuantityError(text) from None


def _binary(amount: Decimal) -> str:
    if amount != amount.to_integral_value() or abs(amount) < 1024:
        return _decimal(amount, exponents=False)
    whole, power = int(amount), 0
    while whole % 1024 == 0 and power < len(_BINARY) - 1:
        whole //= 1024
        power += 1
    return f"{whole}{_BINARY[power]}"


def _decimal(amount: Decimal, *, exponents: bool) -> str:
    if amount == 0:
        return "0"
    nanos = int((amount * 10**9).to_integral_value(rounding=ROUND_CEILING))
    exponent = -9
    while nanos % 1000 == 0 and exponent < 18:
        nanos //= 1000
        exponent += 3
    if exponents:
        return f"{nanos}e{exponent}" if exponent else str(nanos)
    return f"{nanos}{_BY_EXPONENT[exponent]}"
