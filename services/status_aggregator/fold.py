"""Batches of an edge folded into what the hub knows of it. Pure.

Two things are kept apart for every application: the digest that the edge *announced* last, and the document that the hub
*holds*. Where they differ the document is lacking: the last good one stays, and the edge is asked for the whole. A document that is
held but none of its kind is *refused*: patches are made against it, and what was told of the last good one stays. The digests
announced, all together, must have the batch's set digest; where they don't, batches were lost, and the edge is asked for everything.

What an edge no longer has is known in one way only: a set of applications with exactly the digest that the edge gave leaves it out.
Such a set is the known one after the batch, or `gathered`: what was announced since the two sets began to differ. An edge that begins
anew or was asked for everything is gathered from the beginning.
A whole set that comes in several batches is complete when the last of them has arrived; only that one has a set digest.
"""

from collections.abc import Sequence

from outrider.messages import StatusBatch
from status_aggregator.edge import Edge, Folded, Limits
from status_aggregator.entries import Entries

RETIRED_FOR_MS = 600_000
# A batch of an epoch that has been replaced may still be under way this long; later, it is an edge that came back.
RETIRED_MAX = 4


def fold(edge: Edge, batch: StatusBatch, now_ms: int, limits: Limits) -> Folded:
    """Fold one batch. The same batch again changes nothing; whatever is wrong with an entry, the others are folded.

    `now_ms`: passed time (`hub_clock`), which no setting of a clock can take back.
    """
    return fold_together(edge, [batch], now_ms, limits)


def fold_together(edge: Edge, batches: Sequence[StatusBatch], now_ms: int, limits: Limits) -> Folded:
    """Fold batches of one epoch, in the order in which they came, as one: what stands at the end is looked at, and told.

    The end is the same as of one after the other, for a fraction of the work where they tell of the same applications.
    """
    fresh = _fresh(edge, batches, now_ms)
    if not fresh:
        return Folded(edge, old=len(batches))
    last = fresh[-1]
    restart = last.epoch != edge.epoch
    entries = Entries(edge, limits, {} if restart else edge.gathered or {}, len(fresh))
    for batch in fresh:
        for raw in batch.entries:
            entries.take(raw)
    entries.finish()
    # Of a batch that others are to follow nothing can be said of the set.
    partial = not last.set_digest
    settled = not partial and entries.settle(last.set_digest)
    return Folded(
        Edge(
            epoch=last.epoch,
            seq=last.seq,
            apps=entries.apps,
            gathered=None if settled else entries.gathered,
            lacking=frozenset(entries.lacking),
            size_bytes=entries.size_bytes,
            retired=_retired(edge, last, now_ms),
        ),
        last=last,
        old=len(batches) - len(fresh),
        is_restart=restart,
        changes=tuple(entries.changes),
        documents=entries.documents,
        removed=tuple(entries.removed),
        absent=tuple(entries.absent),
        refused=tuple(entries.refused.items()),
        differs=not partial and not settled,
        entries=sum(len(batch.entries) for batch in fresh),
        rejected=entries.rejected,
    )


def _fresh(edge: Edge, batches: Sequence[StatusBatch], now_ms: int) -> list[StatusBatch]:
    """Return those that were not folded before, nor are of an epoch that was replaced a moment ago."""
    epoch = batches[0].epoch
    if any(epoch == replaced and now_ms < until_ms for replaced, until_ms in edge.retired):
        return []
    seq = edge.seq if epoch == edge.epoch else None
    fresh = []
    for batch in batches:
        if seq is None or batch.seq > seq:
            fresh.append(batch)
            seq = batch.seq
    return fresh


def _retired(edge: Edge, batch: StatusBatch, now_ms: int) -> tuple[tuple[int, int], ...]:
    if edge.epoch in (None, batch.epoch):
        return edge.retired
    kept = [
        (epoch, until_ms) for epoch, until_ms in edge.retired if epoch != batch.epoch and now_ms < until_ms
    ]
    return (*kept, (edge.epoch or 0, now_ms + RETIRED_FOR_MS))[-RETIRED_MAX:]
