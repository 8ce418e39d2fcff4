"""How old what the hub knows is, in words: nothing is shown as good that nobody has heard of lately.

Each answer of the hub says `freshness` (fresh, stale, offline, unknown), its cluster's `presence`, and how old the last word is
(`age_s`, which no clock of the hub or of this machine can falsify). Fresh words get the colour of what they say; all others are told
with their time and never in green.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from outrider_cli.output import styled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.text import Text

NEVER_KNOWN: dict[str, Any] = {"freshness": "unknown", "presence": "unknown"}
# Of what no answer could be had.
GOOD, BUSY, BAD, PALE = "green", "cyan", "red", "dim"
STALE = "yellow"
_STYLES = {
    "Healthy": GOOD, "Progressing": BUSY, "Degraded": BAD, "Suspended": BUSY, "Missing": BAD, "Unknown": PALE,
    "Synced": GOOD, "OutOfSync": STALE, "online": GOOD, "offline": BAD,
}  # fmt: skip
_STEPS = ((60, "s", 1), (3600, "min", 60), (172_800, "h", 3600))
_DAY_S = 86_400


def is_fresh(item: Mapping[str, Any]) -> bool:
    """Say whether the last word is recent enough to be shown as the state of things."""
    return item.get("freshness") == "fresh" and item.get("presence") != "offline"


def span(seconds: float) -> str:
    """Return a length of time in the unit that a person would use."""
    for below, unit, size in _STEPS:
        if seconds < below:
            return f"{int(max(0, seconds) // size)} {unit}"
    return f"{int(seconds // _DAY_S)} days"


def is_heard(item: Mapping[str, Any]) -> bool:
    """Say whether anything was ever heard of it."""
    return item.get("freshness") != "unknown" and bool(_told_at_ms(item))


def age_s(item: Mapping[str, Any], now: datetime) -> float | None:
    """Return how old the hub's last word of a cluster is, and with it that of all that runs there; None if nobody knows."""
    if "age_s" in item:
        age = item["age_s"]
        return None if age is None else float(age)
    told_at_ms = _told_at_ms(item)
    return now.timestamp() - told_at_ms / 1000 if told_at_ms else None


def as_of(item: Mapping[str, Any], now: datetime) -> str:
    """Return the moment of the last word, by the clock of who reads it."""
    age = age_s(item, now)
    return "an unknown time" if age is None else clock(round((now.timestamp() - age) * 1000), now)


def _told_at_ms(item: Mapping[str, Any]) -> int:
    return int(item.get("heard_at_ms") or item.get("received_at_ms") or 0)


def ago(at_ms: int | None, now: datetime) -> str:
    """Return how long ago a moment was; a dash if it never was."""
    if not at_ms:
        return "-"
    return f"{span(now.timestamp() - at_ms / 1000)} ago"


def clock(at_ms: int, now: datetime) -> str:
    """Return a moment as a person reads it, in the zone of `now`: the time, with its date if that was another day."""
    moment = datetime.fromtimestamp(at_ms / 1000, now.tzinfo)
    return moment.strftime("%H:%M" if moment.date() == now.date() else "%Y-%m-%d %H:%M")


def word(item: Mapping[str, Any], field: str, now: datetime) -> Text:
    """Return `health` or `sync` of an application: as it is when fresh, else with the time that it is from."""
    value = str(item.get(field) or "Unknown")
    if is_fresh(item):
        return styled(value, _STYLES.get(value, ""))
    if not is_heard(item):
        return styled(value if value == "Unknown" else f"{value}?", PALE)
    return styled(f"{value} as of {as_of(item, now)}", STALE)


def state(value: str) -> Text:
    """Return a word that was just asked for in its colour."""
    return styled(value, _STYLES.get(value, ""))


def last_word(item: Mapping[str, Any], now: datetime) -> Text:
    """Return how old the last word is, and why no newer one comes."""
    offline = item.get("presence") == "offline"
    if not is_heard(item):
        return styled("never heard of, cluster offline" if offline else "never heard of", PALE)
    age = age_s(item, now)
    told = "at an unknown time" if age is None else f"{span(age)} ago"
    if is_fresh(item):
        return styled(told, "")
    return styled(f"{told}, cluster {'offline' if offline else 'silent'}", STALE)


def presence(item: Mapping[str, Any], now: datetime) -> Text:
    """Return a cluster's presence, and since when. One that is there and silent is no good sign."""
    value = str(item.get("presence") or "unknown")
    since = item.get("since_ms")
    style = STALE if value == "online" and not is_fresh(item) else _STYLES.get(value, PALE)
    return styled(f"{value}, {ago(int(since), now).removesuffix(' ago')}" if since else value, style)


def sentence(item: Mapping[str, Any], now: datetime) -> str:
    """Return an application's state in one line, as `Healthy as of 14:02, 37 min ago, cluster offline`."""
    state = f"{item.get('sync') or 'Unknown'}, {item.get('health') or 'Unknown'}"
    if is_fresh(item):
        return state
    if not is_heard(item):
        return f"{state}: {last_word(item, now).plain}"
    return f"{state} as of {as_of(item, now)}, {last_word(item, now).plain}"


def short_revision(revision: Any) -> str:
    """Return a commit as people write it; other revisions as they are. Of several sources there are several, with commas."""
    return ",".join(text[:7] if _is_commit(text) else text for text in str(revision or "").split(","))


def _is_commit(text: str) -> bool:
    return len(text) == 40 and all(digit in "0123456789abcdef" for digit in text)
