"""Ages as tables show them: two figures at most, such as `5s`, `3m20s`, `2d4h`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


def read_time(text: str) -> datetime:
    """Read a time as objects hold it."""
    return datetime.fromisoformat(text).astimezone(UTC)


def age(since: str, now: datetime) -> str:
    """Return how long ago a time was."""
    seconds = max(int((now - read_time(since)).total_seconds()), 0) if since else -1
    if seconds < 0:
        return "<unknown>"
    if seconds < 2 * _MINUTE:
        return f"{seconds}s"
    if seconds < 10 * _MINUTE:
        return _two(seconds, _MINUTE, "m", 1, "s")
    if seconds < 3 * _HOUR:
        return f"{seconds // _MINUTE}m"
    if seconds < 8 * _HOUR:
        return _two(seconds, _HOUR, "h", _MINUTE, "m")
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR}h"
    if seconds < 8 * _DAY:
        return _two(seconds, _DAY, "d", _HOUR, "h")
    return f"{seconds // _DAY}d"


def _two(seconds: int, large: int, large_unit: str, small: int, small_unit: str) -> str:
    whole, rest = divmod(seconds, large)
    return f"{whole}{large_unit}" + (f"{rest // small}{small_unit}" if rest // small else "")
