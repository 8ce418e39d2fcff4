"""Metrics of what clusters say of themselves: sums over the fleet, read from their own documents when they are asked for."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from status_aggregator import about
from status_aggregator.view import View

TYPES_MAX = 32
# Kinds of conditions that are counted apart: an edge says what it likes.
_LANES = ("reply", "health", "state", "desired", "journal", "logs")

Sample = tuple[dict[str, str], float]
Family = tuple[str, str, str, list[Sample]]
"""Name, type, help, samples."""


def families(view: View) -> Iterator[Family]:
    """Yield the metrics."""
    conditions: Counter[str] = Counter()
    lanes: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    for cluster in view.clusters_after(""):
        told = about.shown(cluster.about)
        conditions.update({str(one.get("type", "")) for one in told.get("conditions") or ()})
        link, replica = _section(told, "link"), _section(told, "replica")
        sums["held"] += bool(_section(told, "hold").get("standing"))
        sums["budgeted"] += bool(link.get("bytes_per_day") or link.get("bytes_per_s"))
        sums["link"] += _number(link.get("spent_today"))
        sums["written"] += _number(replica.get("written_bytes_today"))
        lanes.update({lane: _number(_section(link, "spent").get(lane)) for lane in _LANES})
    yield (
        "outrider_cluster_conditions",
        "gauge",
        "Clusters by condition that their agent reports.",
        [({"type": kind}, float(count)) for kind, count in conditions.most_common(TYPES_MAX)],
    )
    gauges = (
        ("outrider_clusters_on_hold", "Clusters on which somebody holds syncs back.", "held"),
        ("outrider_link_budgeted_clusters", "Clusters whose link has a budget.", "budgeted"),
        ("outrider_link_bytes_today", "Bytes over the links of all clusters today, as last told.", "link"),
        (
            "outrider_replica_written_bytes_today",
            "Bytes that all agents wrote to their replica today, as last told.",
            "written",
        ),
    )
    for name, text, key in gauges:
        yield name, "gauge", text, [({}, float(sums[key]))]
    yield (
        "outrider_link_bytes",
        "gauge",
        "Bytes over the links by lane, since each agent began.",
        [({"lane": lane}, float(lanes[lane])) for lane in _LANES],
    )


def _section(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, Mapping) else {}


def _number(value: Any) -> int:
    return value if type(value) is int and value > 0 else 0
