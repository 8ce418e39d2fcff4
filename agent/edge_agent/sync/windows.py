"""Sync windows of an AppProject: may an application be synced now, and when does that change? Pure.

As in Argo CD: without windows always; any allow window means only inside one; an active deny window beats that.
A person's sync passes where every window in its way has `manualSync`; a sync that began while it might goes on
where every window in its way has `syncOverrun`. Which windows concern an application, the hub has decided.

Unlike Argo CD: a window that names no time zone is read in the site's. A window that can't be read never opens
anything: a deny window counts as active, an allow window as one outside which it is.

A window begins when its schedule comes round and lasts its duration of real time, its end not included.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from edge_agent.sync.window_times import AHEAD, Timed, Window

__all__ = ["OPEN", "Gate", "Window", "judge", "windows_of"]

# How many changes are gone through to find out when a sync is allowed again.
_CHANGES_MAX = 40
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Gate:
    """What is allowed, from a moment on until it changes."""

    automated: bool = True
    manual: bool = True
    overrun: bool = True
    """Whether a sync that is under way may go on."""
    why: str = ""
    """What is in the way of an automated sync, and until when; empty: nothing is."""
    faults: tuple[str, ...] = ()
    """Windows that can't be read, and why."""
    held: str = ""
    """By whom it is held, until when and why, to go after "it is"; empty: by nobody."""
    held_for_s: float | None = None
    passed: str = ""
    """The same of a hold that what is desired goes through, being urgent."""
    since: datetime = _LONG_AGO
    until: datetime | None = None
    """When this may change; None: never, as far as can be seen."""

    def holds_at(self, now: datetime) -> bool:
        """Say whether this is still so; a clock that was set back asks anew."""
        return self.since <= now and (self.until is None or now < self.until)


OPEN = Gate()


def windows_of(spec: Mapping[str, Any]) -> tuple[Window, ...]:
    """Return the windows that a spec brings along."""
    project = spec.get("project")
    given = project.get("windows") if isinstance(project, Mapping) else None
    return tuple(_window(one) for one in given or () if isinstance(one, Mapping))


def judge(windows: Iterable[Window], now: datetime, site_zone: str) -> Gate:
    """Say what the windows allow now."""
    timed = [Timed.of(window, site_zone) for window in windows]
    if not timed:
        return OPEN
    changes = [change for one in timed if (change := one.change_after(now))]
    in_the_way, automated = _in_the_way(timed, now)
    return Gate(
        automated=automated,
        manual=automated or all(one.window.manual_sync for one in in_the_way),
        overrun=automated or all(one.window.sync_overrun for one in in_the_way),
        why="" if automated else _reason(in_the_way, timed, now),
        faults=tuple(f"{one.window}: {one.fault}; nothing is synced by it" for one in timed if one.fault),
        since=now,
        until=min(changes, default=None),
    )


def _window(given: Mapping[str, Any]) -> Window:
    return Window(
        kind=str(given.get("kind") or ""),
        schedule=str(given.get("schedule") or ""),
        duration=str(given.get("duration") or ""),
        zone=str(given.get("timeZone") or ""),
        manual_sync=given.get("manualSync") is True,
        sync_overrun=given.get("syncOverrun") is True,
        description=str(given.get("description") or ""),
    )


def _in_the_way(timed: list[Timed], now: datetime) -> tuple[list[Timed], bool]:
    """Return the windows that keep an automated sync from being done, and whether none does."""
    active = [one for one in timed if one.active(now)]
    denying = [one for one in active if one.denies]
    if denying:
        return denying, False
    allowing = [one for one in timed if not one.denies]
    return ([], True) if not allowing or any(not one.denies for one in active) else (allowing, False)


def _reason(in_the_way: list[Timed], timed: list[Timed], now: datetime) -> str:
    first, more = in_the_way[0], len(in_the_way) - 1
    where = "inside the" if first.denies else "outside the"
    and_more = f" and {more} more" if more else ""
    until = _opens(timed, now)
    end = f"until {_told(until, first.zone)}" if until else "with no end in sight"
    return f"{where} {first.window}{and_more}, {end}"


def _opens(timed: list[Timed], now: datetime) -> datetime | None:
    """Return when an automated sync is allowed again."""
    moment = now
    for _ in range(_CHANGES_MAX):
        in_the_way, opened = _in_the_way(timed, moment)
        if opened:
            return moment
        changes = [one.change_after(moment) for one in in_the_way]
        known = [change for change in changes if change]
        denied = in_the_way[0].denies
        if not known or (denied and None in changes):
            return None
        moment = max(known) if denied else min(known)
        if moment > now + AHEAD:
            return None
    return None


def _told(moment: datetime, zone: tzinfo) -> str:
    name = getattr(zone, "key", "UTC")
    return f"{moment.astimezone(zone).isoformat(timespec='seconds')} ({name})"
