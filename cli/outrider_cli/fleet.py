"""The fleet on one screen: counts, then what needs a look first, and only as many lines as fit.

A fleet does not fit a screen, nor should it be fetched to fill one: the hub is asked for those that are in trouble, a screenful
of each kind at most, and then for as many others as there is room.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from outrider import subjects
from outrider_cli import about, freshness
from outrider_cli.app import tables
from outrider_cli.output import styled, table

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Group
    from rich.text import Text

    from outrider_cli.hub import Hub

_ORDER = (
    "online", "Healthy", "Progressing", "Suspended", "Degraded", "Missing", "Synced", "OutOfSync", "fresh", "stale", "offline",
)  # fmt: skip
# Of the counts in a line; what is unknown comes last.
PAGE_MAX = 500
CLUSTERS_LOOKED_AT = 2000
# For those that are offline, which the hub has no filter for.
_TROUBLE: tuple[dict[str, str], ...] = (
    {"health": "Degraded"}, {"health": "Missing"}, {"sync": "OutOfSync"}, {"freshness": "offline", "health": "Degraded"},
    {"freshness": "offline"}, {"freshness": "stale"}, {"health": "Unknown"}, {"health": "Progressing"}, {"health": "Suspended"}, {},
)  # fmt: skip


@dataclass(frozen=True)
class Fleet:
    """What is shown: `more_*` are those that did not fit."""

    summary: dict[str, Any]
    clusters: list[dict[str, Any]] = field(default_factory=list)
    applications: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return it for programs."""
        return {"summary": self.summary, "clusters": self.clusters, "applications": self.applications}


async def whole(hub: Hub) -> Fleet:
    """Return every cluster and application."""
    return Fleet(
        dict(await hub.status("summary")),
        [item async for item in hub.pages(subjects.status_query("clusters"))],
        [item async for item in hub.pages(subjects.status_query("apps"))],
    )


async def screenful(hub: Hub, rows: int) -> Fleet:
    """Return what fits `rows` lines, those in trouble first."""
    summary = dict(await hub.status("summary"))
    clusters = await _clusters(hub)
    clusters_shown = clusters[: max(rows // 3, rows - _total(summary, "health"))]
    room = max(1, rows - len(clusters_shown))
    found: dict[str, dict[str, Any]] = {}
    for wanted in _TROUBLE:
        if len(found) < room:
            page = await hub.status("apps", limit=min(room, PAGE_MAX), **wanted)
            found |= {str(item["name"]): item for item in page["items"] if str(item["name"]) not in found}
    return Fleet(summary, clusters_shown, list(found.values())[:room])


async def _clusters(hub: Hub) -> list[dict[str, Any]]:
    """Return clusters, those that are away first, then those with something degraded."""
    found = []
    async for item in hub.pages(subjects.status_query("clusters")):
        found.append(item)
        if len(found) >= CLUSTERS_LOOKED_AT:
            break
    return sorted(found, key=lambda item: (freshness.is_fresh(item), -int(item.get("degraded") or 0)))


def as_screen(fleet: Fleet, now: datetime) -> Group:
    """Return the fleet for people."""
    from rich.console import Group

    holds = [about.held(item.get("about") or {}) for item in fleet.clusters]
    # No column for what is rare, unless it is there.
    more = ["HOLD"] if any(holds) else []
    clusters = table(
        ["CLUSTER", "PRESENCE", "LAST WORD", "APPLICATIONS", "HEALTHY", "DEGRADED", "OUT OF SYNC", *more],
        (
            [*_cluster(item, now), *([styled(hold, freshness.STALE)] if more else ())]
            for item, hold in zip(fleet.clusters, holds, strict=True)
        ),
    )
    titles = tables.TITLES
    rows = (tables.line(item, now) for item in fleet.applications)
    applications = table(titles, rows, cut_last=True)
    return Group(
        _counts("clusters", fleet.summary, presence="", cluster_freshness=""),
        _counts("applications", fleet.summary, health="health ", sync="sync ", freshness=""),
        "",
        clusters
        if fleet.clusters
        else styled("No clusters yet: add one with `outrider cluster add NAME`.", ""),
        _more(_total(fleet.summary, "presence") - len(fleet.clusters), "clusters", "outrider cluster list"),
        applications
        if fleet.applications
        else styled("No applications yet: `outrider app apply -f FILE`.", ""),
        _more(_total(fleet.summary, "health") - len(fleet.applications), "applications", "outrider app list"),
    )


def _cluster(item: dict[str, Any], now: datetime) -> list[str | Text]:
    return [
        str(item.get("name")),
        freshness.presence(item, now),
        freshness.last_word(item, now),
        str(item.get("applications", "")),
        *_counted(item, now),
    ]


def _counted(item: dict[str, Any], now: datetime) -> list[Text]:
    """Return how many applications of a cluster are healthy, degraded, out of sync; of one that is away, how many were."""
    if freshness.is_fresh(item) or not freshness.is_heard(item):
        return [
            # Nothing was heard of: there is nothing healthy to be green.
            styled(
                str(item.get("healthy", "")), freshness.GOOD if freshness.is_fresh(item) else freshness.PALE
            ),
            styled(str(item.get("degraded") or ""), freshness.BAD),
            styled(str(item.get("out_of_sync") or ""), freshness.STALE),
        ]
    known = item.get("last_known") or {}
    health, sync = known.get("health") or {}, known.get("sync") or {}
    words = (
        f"{health.get('Healthy', 0)} as of {freshness.as_of(item, now)}",
        str(health.get("Degraded") or ""),
        str(sync.get("OutOfSync") or ""),
    )
    return [styled(word, freshness.STALE) for word in words]


def _counts(title: str, summary: dict[str, Any], **groups: str) -> Text:
    """Return a line as `applications 12: health 11 Healthy, 1 Degraded; sync 12 Synced`. `groups`: what each is called."""
    total = _total(summary, next(iter(groups)))
    counted = [
        f"{called}{', '.join(f'{count} {word}' for word, count in _in_order(summary.get(group) or {}))}"
        for group, called in groups.items()
    ]
    return styled(f"{title} {total}" + (f": {'; '.join(counted)}" if total else ""), "bold")


def _in_order(counts: dict[str, int]) -> list[tuple[str, int]]:
    present = [(word, count) for word, count in counts.items() if count]
    return sorted(present, key=lambda one: _ORDER.index(one[0]) if one[0] in _ORDER else len(_ORDER))


def _total(summary: dict[str, Any], group: str) -> int:
    return sum(int(count) for count in (summary.get(group) or {}).values())


def _more(count: int, what: str, command: str) -> Text:
    return styled(f"… and {count} more {what}: {command}\n" if count > 0 else "", freshness.PALE)
