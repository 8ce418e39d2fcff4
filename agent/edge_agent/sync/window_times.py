"""One sync window, and when it is active. Pure.

A window begins when its schedule comes round and lasts its duration of real time, its end not included.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from edge_agent.sync import cron
from edge_agent.sync.durations import go_duration_s

# How far ahead a change is looked for: in days, and in times of one schedule.
AHEAD = timedelta(days=366)
_TIMES_MAX = 300


@dataclass(frozen=True, slots=True)
class Window:
    """One window as the record has it."""

    kind: str
    schedule: str
    duration: str
    zone: str = ""
    manual_sync: bool = False
    sync_overrun: bool = False
    description: str = ""

    def __str__(self) -> str:
        described = f" ({self.description})" if self.description else ""
        return f"{self.kind} window {self.schedule!r} for {self.duration}{described}"


@dataclass(frozen=True, slots=True)
class Timed:
    """A window that can be asked for its times, or why it can't."""

    window: Window
    schedule: cron.Schedule | None = None
    lasts: timedelta = timedelta()
    zone: tzinfo = UTC
    fault: str = ""

    @classmethod
    def of(cls, window: Window, site_zone: str) -> Timed:
        """Read a window."""
        if window.kind not in ("allow", "deny"):
            return cls(window, fault=f"kind {window.kind!r} must be allow or deny")
        try:
            schedule = cron.parse(window.schedule)
            lasts = timedelta(seconds=go_duration_s(window.duration))
            zone = zone_of(schedule.zone or window.zone or site_zone)
        except (ValueError, OverflowError) as error:
            return cls(window, fault=str(error))
        if lasts <= timedelta():
            return cls(window, fault=f"duration {window.duration!r} must be above 0")
        return cls(window, schedule, lasts, zone)

    @property
    def denies(self) -> bool:
        """Say whether it keeps syncs out while it is active; what is neither kind does."""
        return self.window.kind != "allow"

    def active(self, now: datetime) -> bool:
        """Say whether the window is active; one that can't be read is, if it denies."""
        if self.schedule is None:
            return self.denies
        begin = next(self.schedule.after(now - self.lasts, self.zone), None)
        return begin is not None and begin <= now

    def change_after(self, now: datetime) -> datetime | None:
        """Return when the window opens or closes next, or until when at least it won't; None: not within
        sight.
        """
        if self.schedule is None or self._is_always():
            return None
        end: datetime | None = None
        for number, begin in enumerate(self.schedule.after(now - self.lasts, self.zone)):
            if end is None and begin > now:
                return begin
            if end is not None and (begin > end or number >= _TIMES_MAX):
                return end
            end = begin + self.lasts
            if end > now + self.lasts + AHEAD:
                return None
        return end

    def _is_always(self) -> bool:
        """Say whether the next time always comes before the end; asked of what comes every hour."""
        if self.schedule is None:
            return False
        gap_minutes = self.schedule.longest_gap_minutes()
        return gap_minutes is not None and self.lasts >= timedelta(minutes=gap_minutes)


def zone_or_utc(name: str) -> tzinfo:
    """Return a zone by its IANA name, UTC where it is not known: for what is told to a person."""
    try:
        return zone_of(name)
    except ValueError:
        return UTC


def zone_of(name: str) -> tzinfo:
    """Return a zone by its IANA name. Raises `ValueError`."""
    if name in ("", "UTC"):
        return UTC
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:
        raise ValueError(f"time zone {name!r} is not known: write it as Europe/Berlin") from error
