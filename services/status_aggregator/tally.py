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
from status_aggregator.freshness import Freshness, FreshnessLimits, Presence, freshness
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
    counted: tuple[Presence, Freshness] | None = None
    # where it is counted itself; None: it is not registered
    heard_ms: int | None = None
    # when its last word came, in passed time; None: never, or nobody knows when
    connected_ms: int | None = None
    # since when it has been online, in passed time; None: it is not, or nobody knows
    is_seen_away: bool = False
    # the server lists no connection of it, whatever its record says
    is_timed: bool = False
    # it has a place in the timetable

    @property
    def presence(self) -> Presence:
        """Whether it is connected; unknown: it never was."""
        if self.edge is None:
            return "unknown"
        return "online" if self.edge.online and not self.is_seen_away else "offline"

    @property
    def heard_at_ms(self) -> int:
        """When its last word arrived, in Unix time; 0: never."""
        return self.edge.heard_at_ms if self.edge else 0

    def age_ms(self, passed_ms: int) -> int | None:
        """Return how old its last word is; None: there is none, or nobody knows."""
        return None if self.heard_ms is None else max(0, passed_ms - self.heard_ms)

    def freshness_of(self, shown: Shown) -> Freshness:
        """Return the freshness of an application that is counted here."""
        return self.freshness if shown.is_heard else "unknown"


class Tally:
    """The counts of the fleet. Its times are those that pass, in ms (`hub_clock`)."""

    def __init__(self, limits: FreshnessLimits) -> None:
        self._limits = limits
        self._timetable: list[tuple[int, int, Cluster]] = []
        self._entries = 0
        self.totals: Counter[tuple[Freshness, Shown]] = Counter()
        # of applications
        self.clusters: Counter[tuple[Presence, Freshness]] = Counter()
        # the registered ones

    def add(self, cluster: Cluster, shown: Shown, number: int) -> None:
        """Count an application (1), or count it no longer (-1)."""
        cluster.counts[shown] += number
        if not cluster.counts[shown]:
            del cluster.counts[shown]
        self._total(cluster, shown, number)

    def judge(self, cluster: Cluster, passed_ms: int) -> None:
        """Bring a cluster's freshness up to date, and with it that of its applications."""
        found = freshness(
            cluster.presence,
            cluster.age_ms(passed_ms),
            self._limits,
            connected_for_ms=None if cluster.connected_ms is None else passed_ms - cluster.connected_ms,
            is_heard=bool(cluster.heard_at_ms),
        )
        if found != cluster.freshness:
            for shown, number in cluster.counts.items():
                self._total(cluster, shown, -number)
            cluster.freshness = found
            for shown, number in cluster.counts.items():
                self._total(cluster, shown, number)
        self.place(cluster)
        if found == "fresh" and not cluster.is_timed and cluster.heard_ms is not None:
            cluster.is_timed = True
            self._entries += 1
            deadline_ms = cluster.heard_ms + self._limits.word_holds_ms
            heapq.heappush(self._timetable, (deadline_ms, self._entries, cluster))

    def place(self, cluster: Cluster) -> None:
        """Count a cluster as it is, if it is registered, and no longer as it was."""
        place = (cluster.presence, cluster.freshness) if cluster.record is not None else None
        if place == cluster.counted:
            return
        if cluster.counted is not None:
            self.clusters[cluster.counted] -= 1
        if place is not None:
            self.clusters[place] += 1
        cluster.counted = place

    def advance(self, passed_ms: int) -> None:
        """Let time pass: clusters that were not heard of for too long turn stale."""
        while self._timetable and self._timetable[0][0] < passed_ms:
            _, _, cluster = heapq.heappop(self._timetable)
            cluster.is_timed = False
            self.judge(cluster, passed_ms)

    def _total(self, cluster: Cluster, shown: Shown, number: int) -> None:
        key = cluster.freshness_of(shown), shown
        self.totals[key] += number
        if not self.totals[key]:
            del self.totals[key]
