"""Metrics in Prometheus's text format. Only sums and histograms: their number does not grow with the fleet."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from status_aggregator import site_metrics
from status_aggregator.document import UNKNOWN
from status_aggregator.folding import Folding
from status_aggregator.freshness import STATES
from status_aggregator.hub_clock import HubClock
from status_aggregator.rejections import Rejections
from status_aggregator.view import View

AGE_BUCKETS_S = (10, 60, 300, 900, 1800, 3600, 7200, 21_600, 86_400, 604_800)
# Seconds since a cluster's last word.

Sample = tuple[dict[str, str], float]


@dataclass
class Sources:
    """Where the numbers come from."""

    view: View
    rejections: Rejections
    folding: Folding | None = None
    # while this aggregator is the one that folds
    clock: HubClock = field(default_factory=HubClock)


def exposition(sources: Sources) -> str:
    """Return all metrics."""
    passed_ms = sources.clock.now().passed_ms
    rejected = [({"kind": kind}, float(count)) for kind, count in sorted(sources.rejections.counts.items())]
    return "".join(
        (
            _fleet(sources.view, passed_ms),
            _ages(sources.view, passed_ms),
            *(_family(*family) for family in site_metrics.families(sources.view)),
            _family("outrider_rejected_total", "counter", "Messages and entries ignored, by kind.", rejected),
            _gauge(
                "outrider_folding", "Whether this aggregator is the one that folds.", bool(sources.folding)
            ),
            _work(sources.folding) if sources.folding else "",
        )
    )


def _fleet(view: View, passed_ms: int) -> str:
    view.tally.advance(passed_ms)
    believed: Counter[tuple[str, str, str]] = Counter()
    last_known: Counter[tuple[str, str, str]] = Counter()
    for (freshness, shown), count in view.tally.totals.items():
        if freshness == "fresh":
            believed[shown.health, shown.sync, freshness] += count
        else:
            # Whoever sums up the healthy ones must not count what nobody has heard from.
            believed[UNKNOWN, UNKNOWN, freshness] += count
            last_known[shown.health, shown.sync, freshness] += count
    clusters: list[Sample] = [
        ({"presence": presence, "freshness": freshness}, view.tally.clusters[presence, freshness])
        for presence, freshness in STATES
    ]
    return "".join(
        (
            _family("outrider_clusters", "gauge", "Registered clusters by presence and freshness.", clusters),
            _family(
                "outrider_applications",
                "gauge",
                "Applications by health and sync status, which are Unknown unless they are fresh.",
                _states(believed),
            ),
            _family(
                "outrider_applications_last_known",
                "gauge",
                "Applications that are not fresh, by the health and sync status heard last.",
                _states(last_known),
            ),
        )
    )


def _states(counted: Counter[tuple[str, str, str]]) -> list[Sample]:
    return [
        ({"health": health, "sync": sync, "freshness": freshness}, count)
        for (health, sync, freshness), count in sorted(counted.items())
    ]


def _work(folding: Folding) -> str:
    ingest, committer = folding.ingest, folding.committer
    counts = ingest.counts
    counters = (
        ("outrider_status_batches", "Batches of status read.", counts.batches),
        ("outrider_status_batches_old", "Batches that were folded before.", counts.old_batches),
        ("outrider_status_changes", "Documents folded that differed from the one before.", counts.changes),
        ("outrider_status_changes_coalesced", "Of these: replaced before they were told.", counts.coalesced),
        (
            "outrider_status_documents_written",
            "Documents written to the bucket.",
            committer.documents_written,
        ),
        ("outrider_status_edges_restarted", "Edges that began anew.", counts.restarts),
        ("outrider_status_asks", "Requests for whole documents sent to edges.", folding.mender.asked),
        ("outrider_events_published", "Events published.", committer.events_published),
        ("outrider_events_coalesced", "Events replaced by newer ones, unsent.", committer.events_dropped),
        ("outrider_presence_changes", "Clusters that came or went.", folding.announcing.changes),
    )
    return "".join(
        (
            *(_family(f"{name}_total", "counter", text, [({}, value)]) for name, text, value in counters),
            _gauge(
                "outrider_status_fold_lag_seconds",
                "How long the batch folded last had waited in its stream.",
                ingest.arrival.lag_ms / 1000,
            ),
            _gauge(
                "outrider_status_uncommitted",
                "Documents and events that are folded and not yet written.",
                len(committer.pending),
            ),
        )
    )


def _ages(view: View, passed_ms: int) -> str:
    """The age of each cluster's last word, as one histogram of the moment."""
    counts = [0] * (len(AGE_BUCKETS_S) + 1)
    total_s = 0.0
    for cluster in view.clusters_after(""):
        age_ms = cluster.age_ms(passed_ms)
        if age_ms is not None:
            counts[bisect_left(AGE_BUCKETS_S, age_ms / 1000)] += 1
            total_s += age_ms / 1000
    name = "outrider_cluster_last_word_age_seconds"
    lines = [f"# HELP {name} Time since each cluster was heard of.\n# TYPE {name} histogram\n"]
    cumulative = 0
    for bound, count in zip((*map(str, AGE_BUCKETS_S), "+Inf"), counts, strict=True):
        cumulative += count
        lines.append(_line(f"{name}_bucket", {"le": bound}, cumulative))
    return "".join((*lines, _line(f"{name}_sum", {}, total_s), _line(f"{name}_count", {}, cumulative)))


def _gauge(name: str, text: str, value: float) -> str:
    return _family(name, "gauge", text, [({}, value)])


def _family(name: str, kind: str, text: str, samples: Iterable[Sample]) -> str:
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n" + "".join(
        _line(name, *sample) for sample in samples
    )


def _line(name: str, labels: dict[str, str], value: float) -> str:
    inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{inside}}} {value:.16g}\n" if inside else f"{name} {value:.16g}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
