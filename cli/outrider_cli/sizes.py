"""Amounts of bytes as people write and read them: 500, 64k, 1.5M. Decimal, as links and their prices are counted."""

from __future__ import annotations

import re
from typing import Any

import click

_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]?)b?", re.IGNORECASE)


class Size(click.ParamType[int]):
    """An option's value in bytes; '' and 0 mean none."""

    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number of bytes; a usage error if it is none."""
        if isinstance(value, int):
            return value
        text = str(value).strip()
        if not text:
            return 0
        found = _SIZE.fullmatch(text)
        if found is None:
            self.fail(f"{text!r} is no amount of bytes: write it as 500, 64k or 1.5M", param, ctx)
        return round(float(found[1]) * _UNITS[found[2].lower()])


def shown(size_bytes: float) -> str:
    """Return an amount for people: 64 kB, 1.5 MB."""
    amount, unit = float(size_bytes), "B"
    for larger in ("kB", "MB", "GB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.3g} {unit}" if unit != "B" else f"{amount:.0f} B"
