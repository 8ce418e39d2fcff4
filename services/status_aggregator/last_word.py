"""How far what is known may be trusted: a part of every answer. Pure.

    freshness  presence     whether it may be taken for what is, and why not
    observed_at_ms          when the edge said it, by the hub's clock
    received_at_ms          when the hub heard it
    heard_at_ms  age_s      when the hub heard of the cluster last, which vouches for all it said before; how long ago that is

`age_s` is reckoned by the time that has passed, whatever the clocks say; None: never heard of, or nobody knows when.
"""

from typing import Any

from status_aggregator.freshness import Freshness
from status_aggregator.tally import Cluster
from status_aggregator.view import View


def of_cluster(cluster: Cluster, passed_ms: int) -> dict[str, Any]:
    """Return it for what a cluster says of itself."""
    observed_at_ms = cluster.edge.observed_at_ms if cluster.edge else 0
    return _of(cluster, cluster.freshness, observed_at_ms, cluster.heard_at_ms, passed_ms)


def of_application(view: View, name: str, passed_ms: int) -> dict[str, Any]:
    """Return it for what a cluster says of one of its applications."""
    cluster, freshness = view.cluster_of(name), view.shown(name)[2]
    if (seen := cluster.seen.get(name)) is None:
        return _of(cluster, freshness, 0, 0, passed_ms)
    return _of(cluster, freshness, seen.observed_at_ms, seen.received_at_ms, passed_ms)


def _of(
    cluster: Cluster, freshness: Freshness, observed_at_ms: int, received_at_ms: int, passed_ms: int
) -> dict[str, Any]:
    age_ms = cluster.age_ms(passed_ms)
    return {
        "freshness": freshness,
        "presence": cluster.presence,
        "observed_at_ms": observed_at_ms,
        "received_at_ms": received_at_ms,
        "heard_at_ms": cluster.heard_at_ms,
        "age_s": None if age_ms is None else age_ms // 1000,
    }
