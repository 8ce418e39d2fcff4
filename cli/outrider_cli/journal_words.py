"""Entries of a journal in words. Pure. Nothing in it is green: what went well then may be otherwise by now.

What an edge tells is taken as it comes: a kind that this version does not know is shown with what it says.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from outrider_cli import freshness
from outrider_cli.output import styled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.text import Text

BEGAN, ENDED = "outage-began", "outage-ended"
_BAD = ("Degraded", "Missing", "Unknown")


def clock(at_ms: Any, now: datetime) -> str:
    """Return the moment of an entry, to the second, with its date if that was another day."""
    if not isinstance(at_ms, int):
        return "-"
    moment = datetime.fromtimestamp(at_ms / 1000, now.tzinfo)
    return moment.strftime("%H:%M:%S" if moment.date() == now.date() else "%Y-%m-%d %H:%M:%S")


def lines(items: Sequence[Mapping[str, Any]], now: datetime) -> Iterator[tuple[Text, Text]]:
    """Yield for each entry, oldest first, whether it happened during an outage, and what happened."""
    # A page may begin in the middle of one.
    offline = next((one.get("kind") == ENDED for one in items if one.get("kind") in (BEGAN, ENDED)), False)
    began_ms: int | None = None
    for one in items:
        kind, at_ms = one.get("kind"), one.get("at_ms")
        if kind == BEGAN:
            offline, began_ms = True, at_ms if isinstance(at_ms, int) else None
        said, style = _said(one, now)
        if kind == ENDED and began_ms is not None and isinstance(at_ms, int):
            said += f", after {freshness.span((at_ms - began_ms) / 1000)}"
        yield styled("offline" if offline else "", freshness.STALE), styled(said, style)
        if kind == ENDED:
            offline, began_ms = False, None


def _said(entry: Mapping[str, Any], now: datetime) -> tuple[str, str]:
    """Return an entry in words, and their style."""
    kind = str(entry.get("kind") or "")
    detail = entry.get("detail")
    detail = detail if isinstance(detail, dict) else {}
    words = _WORDS.get(kind)
    if words is None:
        told = ", ".join(f"{name} {_value(value)}" for name, value in detail.items())
        return f"{kind}: {told}" if told else kind, ""
    return words(detail, now)


def _sync_started(detail: Mapping[str, Any], _now: datetime) -> tuple[str, str]:
    return f"sync started{_revision(detail, ' of ')}", ""


def _sync_succeeded(detail: Mapping[str, Any], _now: datetime) -> tuple[str, str]:
    objects = f", {_counted(detail['resources'], 'object')}" if detail.get("resources") else ""
    return f"synced{_revision(detail, ' to ')}{objects}{_by(detail)}", ""


def _sync_failed(detail: Mapping[str, Any], _now: datetime) -> tuple[str, str]:
    return f"sync{_revision(detail, ' of ')} failed{_by(detail)}{_message(detail)}", freshness.BAD


def _health(detail: Mapping[str, Any], _now: datetime) -> tuple[str, str]:
    to = str(detail.get("to") or "Unknown")
    style = freshness.BAD if to in _BAD else ""
    return f"{detail.get('from') or 'Unknown'} → {to}{_message(detail)}", style


def _drift(detail: Mapping[str, Any], _now: datetime) -> tuple[str, str]:
    named = [str(one) for one in detail.get("resources") or ()]
    count = detail.get("count")
    more = count - len(named) if isinstance(count, int) else 0
    told = ", ".join(named) + (f" and {more} more" if more > 0 else "")
    return f"drift: {told}" if told else "drift", freshness.STALE


def _in_sync(detail: Mapping[str, Any], _now: datetime) -> tuple[str, str]:
    return f"in sync again{_revision(detail, ' at ')}", ""


def _condition(detail: Mapping[str, Any], _now: datetime) -> tuple[str, str]:
    kind = str(detail.get("type") or "condition")
    if detail.get("is") is False:
        return f"{kind} is over", ""
    return f"{kind}{_message(detail)}", freshness.STALE


def _gap(detail: Mapping[str, Any], now: datetime) -> tuple[str, str]:
    """Return what was thinned, as `31 entries thinned: 20 drift, 11 in-sync, until 14:02:11`."""
    given = detail.get("counts")
    counts = (
        {str(kind): n for kind, n in given.items() if isinstance(n, int)} if isinstance(given, dict) else {}
    )
    total = sum(counts.values())
    each = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items(), key=lambda one: -one[1]))
    entries = "1 entry" if total == 1 else f"{total} entries"
    until = f", until {clock(detail['until_ms'], now)}" if isinstance(detail.get("until_ms"), int) else ""
    return f"{entries} thinned: {each}{until}" if counts else "entries thinned", freshness.PALE


def _plain(text: str, style: str = "") -> Callable[[Mapping[str, Any], datetime], tuple[str, str]]:
    return lambda _detail, _now: (text, style)


def _started(detail: Mapping[str, Any], _now: datetime) -> tuple[str, str]:
    version = detail.get("version")
    return f"the agent started, version {version}" if version else "the agent started", ""


def _rebuilt(detail: Mapping[str, Any], _now: datetime) -> tuple[str, str]:
    why = f" ({detail['why']})" if detail.get("why") else ""
    return f"the agent's replica lost something{_message(detail)}{why}", freshness.STALE


def _hold_began(detail: Mapping[str, Any], _now: datetime) -> tuple[str, str]:
    by = f" by {detail['by']}" if detail.get("by") else ""
    until = f" until {detail['until']}" if detail.get("until") else ""
    why = f": {detail['reason']}" if detail.get("reason") else ""
    return f"{_held(detail)} is held{by}{until}{why}", freshness.STALE


def _hold_ended(detail: Mapping[str, Any], _now: datetime) -> tuple[str, str]:
    how = " ".join(
        str(part)
        for part in (detail.get("how"), "by" if detail.get("endedBy") else "", detail.get("endedBy"))
        if part
    )
    return f"{_held(detail)} is held no more{f' ({how})' if how else ''}", ""


def _held(detail: Mapping[str, Any]) -> str:
    return _value(detail.get("applications") or "the whole cluster")


def _value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _revision(detail: Mapping[str, Any], before: str) -> str:
    revision = freshness.short_revision(detail.get("revision"))
    return f"{before}{revision}" if revision else ""


def _by(detail: Mapping[str, Any]) -> str:
    return f", asked for by {detail['by']}" if detail.get("by") else ""


def _message(detail: Mapping[str, Any]) -> str:
    return f": {detail['message']}" if detail.get("message") else ""


def _counted(number: Any, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


_WORDS: dict[str, Callable[[Mapping[str, Any], datetime], tuple[str, str]]] = {
    "sync-started": _sync_started,
    "sync-succeeded": _sync_succeeded,
    "sync-failed": _sync_failed,
    "health": _health,
    "drift": _drift,
    "in-sync": _in_sync,
    "condition": _condition,
    "added": _plain("added"),
    "removed": _plain("removed"),
    BEGAN: _plain("lost the hub", freshness.STALE),
    ENDED: _plain("reached the hub again"),
    "hold-began": _hold_began,
    "hold-ended": _hold_ended,
    "agent-started": _started,
    "replica-rebuilt": _rebuilt,
    "gap": _gap,
}
