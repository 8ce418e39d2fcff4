"""A hold: from when to when, who asked for it and why, and what it is about. Pure.

It always ends: without a word about it after a day, and never later than two weeks after it was written. Whoever wants it longer
says so again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CONFIG_MAP = "outrider-hold"
DEFAULT = timedelta(hours=24)
LONGEST = timedelta(days=14)
REASON_MAX_CHARS = 300
BY_MAX_CHARS = 128
APPLICATIONS_MAX = 1000

Source = Literal["site", "configmap"]


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing is synced, healed, pruned or removed until it ends."""

    source: Source
    since: datetime
    until: datetime
    reason: str = ""
    by: str = ""
    applications: frozenset[str] = frozenset()
    """Empty: every application of the cluster."""
    lasts: bool = False
    """Whether its length was asked for, not its end: a clock that is set meanwhile neither ends nor stretches it."""

    @property
    def length(self) -> timedelta:
        """How long it is in all."""
        return max(timedelta(), self.until - self.since)

    def covers(self, app: str) -> bool:
        """Say whether an application is held by it."""
        return not self.applications or app in self.applications

    def moved(self, by: timedelta) -> Hold:
        """Return it as it stands after the clock was set by so much."""
        return Hold(
            self.source,
            self.since + by,
            self.until + by,
            self.reason,
            self.by,
            self.applications,
            self.lasts,
        )

    def sentence(self, zone: tzinfo) -> str:
        """Return who holds until when and why, to go after "it is"."""
        who = f"ConfigMap {CONFIG_MAP}" if self.source == "configmap" else ""
        who = f"{self.by} ({who})" if who and self.by else self.by or who or "somebody on the site"
        name = getattr(zone, "key", "UTC")
        end = self.until.astimezone(zone).isoformat(timespec="seconds")
        return f"held by {who} until {end} ({name})" + (f": {self.reason}" if self.reason else "")

    def value(self) -> dict[str, Any]:
        """Return it as JSON values; times are RFC 3339, UTC."""
        found: dict[str, Any] = {"source": self.source, "since": told(self.since), "until": told(self.until)}
        found |= {name: text for name, text in (("reason", self.reason), ("by", self.by)) if text}
        if self.applications:
            found["applications"] = sorted(self.applications)
        return found | ({"lasts": True} if self.lasts else {})

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Hold:
        """Read it; raises `KeyError`, `TypeError` or `ValueError` for what it is not."""
        return cls(
            source="configmap" if value["source"] == "configmap" else "site",
            since=datetime.fromisoformat(value["since"]),
            until=datetime.fromisoformat(value["until"]),
            reason=str(value.get("reason", "")),
            by=str(value.get("by", "")),
            applications=frozenset(map(str, value.get("applications", ()))),
            lasts=value.get("lasts") is True,
        )


def told(moment: datetime) -> str:
    """Return a time as documents have it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def one_line(text: object, limit: int) -> str:
    """Return a text as one line of printable characters, cut to a length."""
    line = " ".join(str(text if text is not None else "").split())
    printable = "".join(character for character in line if character.isprintable())
    return printable if len(printable) <= limit else printable[: limit - 1] + "…"


def longest_first(holds: Iterable[Hold]) -> list[Hold]:
    """Return holds in the order of their ends, the last one first."""
    return sorted(holds, key=lambda hold: (hold.until, hold.source, hold.reason), reverse=True)
