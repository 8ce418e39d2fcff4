"""Counts of a fleet by what is shown, kept as things change: no question makes it count anew.

Applications are counted at their cluster; a cluster's counts move as one when it turns fresh or stale. When it would turn stale
without another word is in a timetable, with one place for each cluster.
"""

import heapq
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from outrider.names import ClusterName
from outrider.records import ClusterRecord, EdgeRecord
from status_aggregator.freshness import (
    Freshness,
    FreshnessLimits,
    Presence,
    cluster_freshness,
    stale_after_ms,
)
from status_aggregator.ordered import OrderedNames
from status_aggregator.rows import Seen, Wanted


class Shown(NamedTuple):
    """By what applications are counted."""

    sync: str
    health: str
    is_heard: bool
    # there is a document of it, and it is the edge's newest


@dataclass(slots=True)
class Cluster:
    """One cluster and what runs there."""

    name: ClusterName
    record: ClusterRecord | None = None
    edge: EdgeRecord | None = None
    seen: dict[str, Seen] = field(default_factory=dict)
    wanted: dict[str, Wanted] = field(default_factory=dict)
    about: bytes = b""
    # its own document, packed; empty: it has not said anything of itself
    names: OrderedNames = field(default_factory=OrderedNames)
    # of the applications that are destined here
    counts: Counter[Shown] = field(default_factory=Counter)
    freshness: Freshness = "unknown"
    # as counted
    is_timed: bool = False
    # it has a place in the timetable

    @property
    def presence(self) -> Presence:
        """Whether it is connected; unknown: it never was."""
        if self.edge is None:
            return "unknown"
        return "online" if self.edge.online else "offline"

    @property
    def heard_at_ms(self) -> int:
        """When its last word arrived; 0: never."""
        return self.edge.heard_at_ms if self.edge else 0

    def freshness_of(self, shown: Shown) -> Freshness:
        """Return the freshness of an application that is counted here."""
        return self.freshness if shown.is_heard else "unknown"


class Tally:
    """The counts of the fleet."""

    def __init__(self, limits: FreshnessLimits) -> None:
        self._limits = limits
        self._timetable: list[tuple[int, int, Cluster]] = []
        self._entries = 0
        self.totals: Counter[tuple[Freshness, Shown]] = Counter()

    def add(self, cluster: Cluster, shown: Shown, number: int) -> None:
        """Count an application (1), or count it no longer (-1)."""
        cluster.counts[shown] += number
        if not cluster.counts[shown]:
            del cluster.counts[shown]
        self._total(cluster, shown, number)

    def judge(self, cluster: Cluster, now_ms: int) -> None:
        """Bring a cluster's freshness up to date, and with it that of its applications."""
        freshness = cluster_freshness(cluster.presence, cluster.heard_at_ms, now_ms, self._limits)
        if freshness != cluster.freshness:
            for shown, number in cluster.counts.items():
                self._total(cluster, shown, -number)
            cluster.freshness = freshness
            for shown, number in cluster.counts.items():
                self._total(cluster, shown, number)
        if freshness == "fresh" and not cluster.is_timed:
            cluster.is_timed = True
            self._entries += 1
            deadline_ms = stale_after_ms(cluster.heard_at_ms, self._limits)
            heapq.heappush(self._timetable, (deadline_ms, self._entries, cluster))

    def advance(self, now_ms: int) -> None:
        """Let time pass: clusters that were not heard of for too long turn stale."""
        while self._timetable and self._timetable[0][0] < now_ms:
            _, _, cluster = heapq.heappop(self._timetable)
            cluster.is_timed = False
            self.judge(cluster, now_ms)

    def _total(self, cluster: Cluster, shown: Shown, number: int) -> None:
        key = cluster.freshness_of(shown), shown
        self.totals[key] += number
        if not self.totals[key]:
            del self.totals[key]
