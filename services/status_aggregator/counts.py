"""Counts as they are shown: a state that is not fresh counts as Unknown, `last_known` counts it as it was."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from status_aggregator import about, last_word
from status_aggregator.document import HEALTHS, SYNCS, UNKNOWN
from status_aggregator.freshness import FRESHNESSES, PRESENCES, Freshness
from status_aggregator.tally import Cluster, Shown
from status_aggregator.view import View


def fleet_counts(view: View) -> dict[str, Any]:
    """Return the fleet's counts: `health`, `sync` and `freshness` of applications, `presence` and `cluster_freshness` of clusters."""
    totals = view.tally.totals
    freshnesses: Counter[str] = Counter()
    for (freshness, _), count in totals.items():
        freshnesses[freshness] += count
    clusters: Counter[str] = Counter()
    for (_, freshness), count in view.tally.clusters.items():
        clusters[freshness] += count
    return {
        "applications": len(view.names),
        "clusters": len(view.cluster_names),
        "freshness": _counts(FRESHNESSES, freshnesses),
        "presence": _counts(PRESENCES, view.presences),
        "cluster_freshness": _counts(FRESHNESSES, clusters),
        **_by_state((key, shown, count) for (key, shown), count in totals.items()),
    }


def cluster_item(cluster: Cluster, passed_ms: int) -> dict[str, Any]:
    """Return a cluster as lists show it. What is not fresh is not counted as healthy."""
    states = _by_state((cluster.freshness_of(shown), shown, count) for shown, count in cluster.counts.items())
    edge, record = cluster.edge, cluster.record
    return {
        "name": cluster.name,
        "labels": record.labels if record else {},
        "server": record.server if record else "",
        **last_word.of_cluster(cluster, passed_ms),
        "since_ms": edge.since_ms if edge else 0,
        "clock_offset_ms": edge.clock_offset_ms if edge else 0,
        "about": about.shown(cluster.about),
        "applications": len(cluster.names),
        "healthy": states["health"]["Healthy"],
        "progressing": states["health"]["Progressing"],
        "degraded": states["health"]["Degraded"],
        "out_of_sync": states["sync"]["OutOfSync"],
        "unknown": states["health"][UNKNOWN],
        **states,
    }


def _by_state(counted: Iterable[tuple[Freshness, Shown, int]]) -> dict[str, Any]:
    health: Counter[str] = Counter()
    sync: Counter[str] = Counter()
    last_health: Counter[str] = Counter()
    last_sync: Counter[str] = Counter()
    for freshness, shown, count in counted:
        is_fresh = freshness == "fresh"
        health[shown.health if is_fresh else UNKNOWN] += count
        sync[shown.sync if is_fresh else UNKNOWN] += count
        last_health[shown.health] += count
        last_sync[shown.sync] += count
    return {
        "health": _counts(HEALTHS, health),
        "sync": _counts(SYNCS, sync),
        "last_known": {"health": _counts(HEALTHS, last_health), "sync": _counts(SYNCS, last_sync)},
    }


def _counts(words: Iterable[str], counted: Counter[Any]) -> dict[str, int]:
    return {word: counted[word] for word in words}
