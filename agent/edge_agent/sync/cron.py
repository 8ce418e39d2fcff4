"""When a schedule comes round: the dialect of robfig/cron's `ParseStandard`, which sync windows are written in.

Five fields; names of months and days in any case; `*`, `?`, lists, ranges, steps (`5/10` means from 5 to the
end); days 0 to 6, Sunday is 0; `@hourly` and its like; a zone before it (`CRON_TZ=Europe/Berlin 0 2 * * *`).
Where both days are given, either is enough. The `cronsim` library finds the times; it takes more than this
dialect and means something else by `*/2` in a day, so what it is given is written out here.

A time that the clocks skip comes when they have jumped; one that they repeat comes once, unless the schedule
goes by `*` or `*/n` minutes or hours, which follow the real time. `cronsim` is imported by the first schedule.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_ZONE = re.compile(r"(?:CRON_TZ|TZ)=(\S+)\s+(.*)")
_ITEM = re.compile(r"(\*|\?|\w+)(?:-(\w+))?(?:/(\d+))?")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


class InvalidSchedule(ValueError):
    """What is no schedule; the message says which field."""


class _Field(NamedTuple):
    name: str
    lowest: int
    highest: int
    names: tuple[str, ...] = ()


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 6, _DAYS),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule that was read. `zone` is the one written before it, or empty."""

    expression: str
    """As `cronsim` takes it."""
    zone: str = ""

    def after(self, moment: datetime, zone: tzinfo) -> Iterator[datetime]:
        """Yield the times after a moment, in UTC, in order; none where none comes within 50 years."""
        from cronsim import CronSim

        for found in CronSim(self.expression, moment.astimezone(zone)):
            # Where the clocks go back, one that has passed may be told again.
            time = found.astimezone(UTC)
            if time > moment:
                yield time

    def longest_gap_minutes(self) -> int | None:
        """Return the longest time between two, of a schedule that comes in the same minutes of every hour."""
        minute, *rest = self.expression.split()
        if rest != ["*"] * 4:
            return None
        minutes = sorted(_numbers(minute))
        return max(after - before for before, after in pairwise([*minutes, minutes[0] + 60]))


def parse(text: str) -> Schedule:
    """Read a schedule. Raises `InvalidSchedule`."""
    from cronsim import CronSim, CronSimError

    prefixed = _ZONE.fullmatch(text.strip())
    zone, fields = (prefixed[1], prefixed[2]) if prefixed else ("", text.strip())
    parts = _NAMED.get(fields, fields).split()
    if len(parts) != len(_FIELDS):
        raise InvalidSchedule(f"schedule {text!r} must have five fields: minute, hour, day, month, weekday")
    expression = " ".join(_read(part, field) for part, field in zip(parts, _FIELDS, strict=True))
    try:
        CronSim(expression, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise InvalidSchedule(f"schedule {text!r} never comes: {error}") from error
    return Schedule(expression, zone)


def _read(text: str, field: _Field) -> str:
    """Write a field so that only what starts with a star is one, and everything else is a list of numbers."""
    values: set[int] = set()
    stepping = False
    for item in text.split(","):
        found = _ITEM.fullmatch(item)
        if found is None:
            raise InvalidSchedule(f"{field.name} {text!r} can't be read")
        first, last, step = found[1], found[2], int(found[3] or 1)
        star = first in ("*", "?")
        if step == 0 or (star and last):
            raise InvalidSchedule(f"{field.name} {text!r} can't be read")
        if star and step == 1:
            return "*"
        stepping = stepping or star
        low = field.lowest if star else _number(first, field)
        high = _number(last, field) if last else field.highest if star or found[3] else low
        if low > high:
            raise InvalidSchedule(f"{field.name} {text!r}: {low} is beyond {high}")
        values.update(range(low, high + 1, step))
    if field.name in ("minute", "hour"):
        if len(values) == field.highest + 1:
            return "*"
        if stepping and "," not in text:
            return text.replace("?", "*")
    return ",".join(str(value) for value in sorted(values))


def _numbers(minute: str) -> set[int]:
    """Return what a minute field that was written out means."""
    star, _, step = minute.partition("/")
    if star == "*":
        return set(range(0, 60, int(step or 1)))
    return {int(value) for value in minute.split(",")}


def _number(text: str, field: _Field) -> int:
    if text.lower() in field.names:
        return field.names.index(text.lower()) + field.lowest
    if not text.isascii() or not text.isdigit() or not field.lowest <= int(text) <= field.highest:
        raise InvalidSchedule(f"{field.name} {text!r} must be from {field.lowest} to {field.highest}")
    return int(text)
