"""Schedules of sync windows: a cron line (robfig/cron's dialect), a duration and a time zone, checked where a person writes them.

They are carried out at the edge; a line that can't be read there would hold a shop's syncs for ever, or let them all through.
"""

import re
import zoneinfo
from functools import cache
from typing import Annotated

from pydantic import AfterValidator

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 6, _DAYS),
)
_ITEM = re.compile(r"(?P<first>\*|\?|\w+)(-(?P<last>\w+))?(/(?P<step>\d+))?")
_NAMED = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_ZONED = re.compile(r"(?:CRON_TZ|TZ)=(\S+)\s+(.*)")
_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,64}(/[A-Za-z0-9_+-]{1,64}){0,2}")
_WINDOW = re.compile(r"(\d+(\.\d+)?(h|m|s|ms|us|µs|ns))+")
# Go's durations.


def _cron(text: str) -> str:
    zoned = _ZONED.fullmatch(text.strip())
    if zoned is not None:
        time_zone(zoned[1])
    line = zoned[2] if zoned is not None else text.strip()
    if line not in _NAMED:
        _check_fields(text, line.split())
    return text.strip()


def _check_fields(text: str, fields: list[str]) -> None:
    if len(fields) != len(_FIELDS):
        raise ValueError(
            f"{text[:80]!r} is no schedule: write five fields, minute hour day month weekday, as '0 22 * * *'"
        )
    for given, (name, lowest, highest, names) in zip(fields, _FIELDS, strict=True):
        for item in given.split(","):
            if not _is_item(item, lowest, highest, names):
                raise ValueError(
                    f"{text[:80]!r} is no schedule: {item[:20]!r} is no {name} ({lowest} to {highest})"
                )


def _is_item(item: str, lowest: int, highest: int, names: tuple[str, ...]) -> bool:
    match = _ITEM.fullmatch(item)
    if match is None or (match["step"] is not None and int(match["step"]) == 0):
        return False
    if match["first"] in ("*", "?"):
        return match["last"] is None
    first = _number(match["first"], lowest, names)
    last = _number(match["last"], lowest, names) if match["last"] else first
    return first is not None and last is not None and lowest <= first <= last <= highest


def _number(text: str, lowest: int, names: tuple[str, ...]) -> int | None:
    if text.lower() in names:
        return names.index(text.lower()) + lowest
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 2 else None


def _window_duration(text: str) -> str:
    if not _WINDOW.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is no duration: write 2h, 90m or 1h30m")
    return text


@cache
def _known_zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def time_zone(text: str) -> str:
    """Return the name of a time zone; ValueError if it is none."""
    known = _known_zones()
    # A hub without a time zone database leaves the check of the name to the edges, which have one.
    if not _ZONE.fullmatch(text) or (known and text not in known):
        raise ValueError(f"{text[:80]!r} is no time zone: write Europe/Berlin or UTC")
    return text


Cron = Annotated[str, AfterValidator(_cron)]
WindowDuration = Annotated[str, AfterValidator(_window_duration)]
TimeZone = Annotated[str, AfterValidator(time_zone)]
