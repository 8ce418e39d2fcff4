"""What stands in the place of entries that made room. Pure.

Each run of them becomes a gap marker with counts by kind, and markers that touch become one, so that every sequence number
is either there or inside exactly one gap.
"""

from collections.abc import Iterable, Iterator

from edge_agent.journal.entry import Entry


def markers(going: Iterable[Entry], gaps: Iterable[Entry]) -> list[Entry]:
    """Return the gap markers in place of entries that go and of the markers that are there."""
    found: list[Entry] = []
    for gap in sorted((*map(_gap, going), *gaps), key=lambda gap: gap.seq):
        if found and found[-1].last_seq + 1 == gap.seq:
            gap = _joined(found.pop(), gap)
        found.append(gap)
    return found


def lost(seq: int, counts: dict[str, int], until_ms: int) -> Entry:
    """Return the marker for entries that were never written, numbered from `seq` on."""
    last = seq + sum(counts.values()) - 1
    return Entry(seq, until_ms, "", "gap", {"to": last, "until_ms": until_ms, "counts": dict(counts)})


def complete(entries: Iterable[Entry], first: int, end: int | None) -> Iterator[Entry]:
    """Yield entries with a gap in the place of each number from `first` up to `end` (None: up to the last) that is missing:
    it was written, and is damaged.
    """
    expected, at_ms = first, 0
    for entry in entries:
        if entry.seq > expected:
            yield _unreadable(expected, entry.seq - 1, entry.at_ms)
        yield entry
        expected, at_ms = entry.last_seq + 1, entry.at_ms
    if end is not None and expected < end:
        yield _unreadable(expected, end - 1, at_ms)


def _unreadable(first: int, last: int, at_ms: int) -> Entry:
    return lost(first, {"unreadable": last - first + 1}, at_ms)


def _gap(entry: Entry) -> Entry:
    return lost(entry.seq, {entry.kind: 1}, entry.at_ms)


def _joined(first: Entry, second: Entry) -> Entry:
    counts = dict(first.detail["counts"])
    for kind, count in second.detail["counts"].items():
        counts[kind] = counts.get(kind, 0) + count
    detail = {"to": second.last_seq, "until_ms": second.detail["until_ms"], "counts": counts}
    return Entry(first.seq, first.at_ms, "", "gap", detail)
