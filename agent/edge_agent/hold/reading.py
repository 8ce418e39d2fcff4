"""Read a hold: from the ConfigMap as somebody wrote it, or from a command's arguments. Pure.

A ConfigMap that can't be read in part holds all the same, since somebody wanted it to, but never longer than a day after it was
written; what is wrong with it is told by key. A command is refused instead: who typed it is there to type it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from edge_agent.hold.model import (
    APPLICATIONS_MAX,
    BY_MAX_CHARS,
    DEFAULT,
    LONGEST,
    REASON_MAX_CHARS,
    Hold,
    one_line,
    told,
)
from edge_agent.sync.durations import long_duration_s

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KEYS = ("reason", "by", "until", "for", "applications")
_TIME = "write it as 2026-12-01T06:00:00+01:00"
_SHOWN_CHARS = 40
_YEAR_MAX = 9000
# Beyond it nothing could be added to a time.


@dataclass(frozen=True, slots=True)
class End:
    """When a hold ends, whether that was asked for as a length, and what is wrong with what was asked."""

    until: datetime
    lasts: bool = False
    faults: tuple[str, ...] = ()


def from_config_map(live: Mapping[str, Any], zone: tzinfo, now: datetime) -> tuple[Hold, tuple[str, ...]]:
    """Return the hold that a ConfigMap asks for, and what is wrong with it, by key. It may have ended.

    `zone`: the site's, for an `until` that names none. `for` counts from when the ConfigMap's data was written last.
    """
    data = {str(key): str(value) for key, value in (live.get("data") or {}).items()}
    since = _written(live.get("metadata") or {}, now)
    end = end_of(data.get("until", ""), data.get("for", ""), since, zone)
    named = data.get("applications", "").replace(",", " ").split()
    faults = [*end.faults, *(f"{key}: is not known; known are {', '.join(KEYS)}" for key in _unknown(data))]
    if len(named) > APPLICATIONS_MAX:
        faults.append(f"applications: are more than {APPLICATIONS_MAX}; all are held")
        named = []
    hold = Hold(
        source="configmap",
        since=since,
        until=end.until,
        reason=one_line(data.get("reason"), REASON_MAX_CHARS),
        by=one_line(data.get("by"), BY_MAX_CHARS),
        applications=frozenset(named),
        lasts=end.lasts,
    )
    return hold, tuple(faults)


def end_of(until: str, lasts: str, since: datetime, zone: tzinfo) -> End:
    """Return when a hold ends that begins at `since`, never later than the longest may."""
    until, lasts = until.strip(), lasts.strip()
    if until:
        moment = _moment(until, zone)
        if moment is None:
            return _by_default(since, f"until: {until[:_SHOWN_CHARS]!r} is no time: {_TIME}")
        both = ("for: is left aside, since until is given",) if lasts else ()
        return _bounded(End(moment, faults=both), since)
    if not lasts:
        return End(since + DEFAULT, lasts=True)
    try:
        length_s = min(long_duration_s(lasts), 2 * LONGEST.total_seconds())
    except ValueError as error:
        return _by_default(since, f"for: {error}")
    return _bounded(End(since + timedelta(seconds=length_s), lasts=True), since)


def _by_default(since: datetime, fault: str) -> End:
    hours = round(DEFAULT.total_seconds() / 3600)
    return End(since + DEFAULT, lasts=True, faults=(f"{fault}; it ends {hours} h after it was written",))


def _bounded(end: End, since: datetime) -> End:
    latest = since + LONGEST
    if end.until <= latest:
        return end
    key = "for" if end.lasts else "until"
    fault = f"{key}: no hold is longer than {LONGEST.days} days; it ends at {told(latest)}"
    return End(latest, end.lasts, (*end.faults, fault))


def _moment(text: str, zone: tzinfo) -> datetime | None:
    """Read an RFC 3339 time; one without an offset is the site's."""
    try:
        found = datetime.fromisoformat(text)
        moment = (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment.year < _YEAR_MAX else None


def _written(metadata: Mapping[str, Any], now: datetime) -> datetime:
    """Return when an object's data was written last, by the API server's word; now where it says nothing."""
    entries = metadata.get("managedFields")
    told_at = [metadata.get("creationTimestamp")]
    for entry in entries if isinstance(entries, list) else ():
        fields = entry.get("fieldsV1") if isinstance(entry, dict) else None
        if isinstance(fields, dict) and "f:data" in fields:
            told_at.append(entry.get("time"))
    times = [found for text in told_at if isinstance(text, str) and (found := _moment(text, UTC))]
    return max(times, default=now)


def _unknown(keys: Iterable[str]) -> list[str]:
    return [one_line(key, _SHOWN_CHARS) for key in sorted(keys) if key not in KEYS]
