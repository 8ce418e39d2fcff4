"""One batch of an edge folded into what the hub knows of it. Pure.

Two things are kept apart for every application: the digest that the edge *announced* last, and the document that the hub
*holds*. Where they differ the document is lacking: the last good one stays, and the edge is asked for the whole. A document that is
held but none of its kind is *refused*: patches are made against it, and what was told of the last good one stays. The digests
announced, all together, must have the batch's set digest; where they don't, batches were lost, and the edge is asked for everything.

What an edge no longer has is known in one way only: a set of applications with exactly the digest that the edge gave leaves it out.
Such a set is the known one after the batch, or `gathered`: what was announced since the two sets began to differ. An edge that begins
anew or was asked for everything is gathered from the beginning.
A whole set that comes in several batches is complete when the last of them has arrived; only that one has a set digest.
"""

from collections import Counter
from collections.abc import Mapping
from sys import intern

from msgspec.structs import replace

from outrider import delta
from outrider.codec import MalformedMessage
from outrider.messages import StatusBatch, StatusEntry
from outrider.names import InvalidName, app_name, from_token, token
from outrider.subjects import CLUSTER
from status_aggregator import frames
from status_aggregator.about import listed_of
from status_aggregator.edge import Change, Edge, Folded, Known, Limits, Marks

RETIRED_FOR_MS = 600_000
# A batch of an epoch that has been replaced may still be under way this long; later, it is an edge that came back.
RETIRED_MAX = 4


def fold(edge: Edge, batch: StatusBatch, now_ms: int, limits: Limits) -> Folded:
    """Fold one batch. The same batch again changes nothing; whatever is wrong with an entry, the others are folded.

    `now_ms`: passed time (`hub_clock`), which no setting of a clock can take back.
    """
    if _is_old(edge, batch, now_ms):
        return Folded(edge, is_old=True)
    restart = batch.epoch != edge.epoch
    folding = _Folding(edge, limits, gathered={} if restart else edge.gathered or {})
    for raw in batch.entries:
        folding.entry(raw)
    # Of a batch that others are to follow nothing can be said of the set.
    partial = not batch.set_digest
    settled = not partial and folding.settle(batch.set_digest)
    differs = not partial and not settled
    return Folded(
        Edge(
            epoch=batch.epoch,
            seq=batch.seq,
            apps=folding.apps,
            gathered=None if settled else folding.gathered,
            lacking=frozenset(folding.lacking),
            size_bytes=folding.size_bytes,
            retired=_retired(edge, batch, now_ms),
        ),
        is_restart=restart,
        changes=tuple(folding.changes),
        removed=tuple(folding.removed),
        absent=tuple(folding.absent),
        refused=tuple(folding.refused.items()),
        differs=differs,
        entries=len(batch.entries),
        rejected=folding.rejected,
    )


def _is_old(edge: Edge, batch: StatusBatch, now_ms: int) -> bool:
    if batch.epoch == edge.epoch:
        return batch.seq <= edge.seq
    return any(batch.epoch == epoch and now_ms < until_ms for epoch, until_ms in edge.retired)


def _retired(edge: Edge, batch: StatusBatch, now_ms: int) -> tuple[tuple[int, int], ...]:
    if edge.epoch in (None, batch.epoch):
        return edge.retired
    kept = [
        (epoch, until_ms) for epoch, until_ms in edge.retired if epoch != batch.epoch and now_ms < until_ms
    ]
    return (*kept, (edge.epoch or 0, now_ms + RETIRED_FOR_MS))[-RETIRED_MAX:]


class _BatchTooLarge(Exception):
    """The entries before this one have used up what one batch may unpack: this one is asked for again."""


_KINDS = {
    delta.TooLarge: "document too large",
    delta.WrongBase: "document does not decode",
    _BatchTooLarge: "batch too large",
}
NO_DOCUMENT = "not a status document"
NOTHING = Known(b"")


class _Folding:
    """The state of an edge in the middle of a batch."""

    def __init__(self, edge: Edge, limits: Limits, gathered: Mapping[str, bytes]) -> None:
        self.apps = dict(edge.apps)
        self.gathered = dict(gathered)
        self.lacking = set(edge.lacking)
        self.size_bytes = edge.size_bytes
        self.changes: list[Change] = []
        self.removed: list[str] = []
        self.absent: list[str] = []
        self.refused: dict[str, str] = {}
        self.rejected: Counter[str] = Counter()
        self._limits = limits
        self._batch_left = limits.batch_max_bytes

    def entry(self, raw: object) -> None:
        try:
            entry = StatusEntry.parse(raw)
            self._admit(entry)
        except (MalformedMessage, InvalidName):
            self.rejected["malformed entry"] += 1
        except delta.TooLarge:
            self.rejected["too many applications"] += 1
        else:
            if entry.frame is None:
                self._gone(entry.app)
            else:
                self._take(entry, entry.frame)

    def _admit(self, entry: StatusEntry) -> None:
        if entry.frame is not None and len(entry.digest) != delta.SHORT_DIGEST_BYTES:
            raise MalformedMessage("StatusBatch.entries: not a short digest")
        if entry.app not in self.apps:
            if entry.app != CLUSTER and token(app_name(from_token(entry.app))) != entry.app:
                raise MalformedMessage("StatusBatch.entries: a name that is no token")
            if entry.frame is not None and len(self.apps) >= self._limits.apps_max:
                raise delta.TooLarge(f"{self._limits.apps_max} applications are allowed")

    def _gone(self, app: str) -> None:
        self.gathered.pop(app, None)
        if app in self.apps:
            self._remove(app)
        else:
            self.absent.append(app)

    def _remove(self, app: str) -> None:
        self.lacking.discard(app)
        self.refused.pop(app, None)
        self.size_bytes -= self.apps.pop(app).size_bytes
        self.changes = [change for change in self.changes if change.app != app]
        self.removed.append(app)

    def _take(self, entry: StatusEntry, frame: bytes) -> None:
        self.gathered[entry.app] = entry.digest
        known = self.apps.get(entry.app, NOTHING)
        if known.announced == entry.digest and not known.lacking:
            return
        held, refused = None, False
        if known.digest != entry.digest:
            try:
                held = self._held(entry, frame, known)
            except (delta.WrongBase, _BatchTooLarge, delta.TooLarge) as error:
                self.rejected[_KINDS[type(error)]] += 1
                # A frame that does not decode may do so when it is sent again; what is too large stays so.
                if entry.base is None and isinstance(error, delta.TooLarge):
                    refused = True
                    self.refused[entry.app] = _KINDS[type(error)]
        self._know(entry.app, held or replace(known, announced=entry.digest, refused=refused))

    def _know(self, app: str, known: Known) -> None:
        # One object for a name that many know.
        self.apps[intern(app)] = known
        if known.lacking:
            self.lacking.add(app)
        else:
            self.lacking.discard(app)

    def _held(self, entry: StatusEntry, frame: bytes, old: Known) -> Known | None:
        """Return an application with the document in an entry; None when the entry is a patch against another than is held."""
        base = None
        if entry.base is not None:
            # Its first bytes may do: what comes out is checked.
            if not entry.base or not old.digest.startswith(entry.base):
                return None
            base = old.frame
        document = self._document(entry, frame, base, old)
        held = frames.wrap(document)
        try:
            state = listed_of(entry.app, document)
        except MalformedMessage:
            # It is what the edge has, and patches are made against it; what was told of the last good one stays.
            self.rejected[NO_DOCUMENT] += 1
            self.refused[entry.app] = NO_DOCUMENT
            return Known(entry.digest, entry.digest, held, len(document), old.marks)
        known = Known(entry.digest, entry.digest, held, len(document), Marks.of(state))
        self.changes.append(Change(entry.app, old if old.frame else None, known, state))
        self.refused.pop(entry.app, None)
        return known

    def _document(self, entry: StatusEntry, frame: bytes, base: bytes | None, old: Known) -> bytes:
        """Return the document in an entry, within all limits. delta.WrongBase, delta.TooLarge, _BatchTooLarge."""
        if self._batch_left <= 0:
            raise _BatchTooLarge
        document = frames.received(frame, base, max_bytes=self._limits.document_max_bytes)
        self._batch_left -= len(document)
        if delta.short_digest(document) != entry.digest:
            raise delta.WrongBase("the digest differs from the announced one")
        size_bytes = self.size_bytes + len(document) - old.size_bytes
        if size_bytes > self._limits.cluster_max_bytes:
            raise delta.TooLarge(f"{self._limits.cluster_max_bytes} bytes are allowed")
        self.size_bytes = size_bytes
        return document

    def settle(self, set_digest: bytes) -> bool:
        """Compare with the edge's set; return whether it is known to be ours. Drops what the edge does not have."""
        if _digest_of({app: known.announced for app, known in self.apps.items()}).startswith(set_digest):
            return True
        if not _digest_of(self.gathered).startswith(set_digest):
            return False
        for app in [app for app in self.apps if app not in self.gathered and app != CLUSTER]:
            self._remove(app)
        return True


def _digest_of(announced: Mapping[str, bytes]) -> bytes:
    """Return the digest of a set of applications; the cluster's own document is none."""
    if CLUSTER in announced:
        announced = dict(announced)
        del announced[CLUSTER]
    return delta.set_digest(announced)
