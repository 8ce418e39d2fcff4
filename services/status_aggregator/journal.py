"""`hub.status.journal`: what happened at an edge, told by itself, also of the time when nobody heard from it.

The stream is the store: batches are read when somebody asks, and only that cluster's. The same entry may have come twice (an
acknowledgement was lost), and a gap may reach over entries that came before it was made; an entry that is there counts. What
is no batch, or no entry, is left out and counted: the journal goes on.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from outrider import codec, delta, subjects
from outrider.bus.jetstream import JetStream, Stored
from outrider.bus.services import RequestRefused
from outrider.codec import MalformedMessage
from outrider.messages import JournalBatch
from outrider.names import ClusterName
from outrider.topology import JOURNAL
from status_aggregator.rejections import Rejections

READ_BATCH = 128
BATCH_MAX_BYTES = 1 << 20
# Unpacked. An edge makes batches of a sixteenth of that.
ENTRIES_MAX = 50_000
# Of one cluster, held while an answer is made, some 25 MB: a stolen identity may fill the stream. Beyond, the oldest are left out.

Place = tuple[int, int]
"""Epoch of the replica and sequence number."""


class Told(NamedTuple):
    """One entry as an edge tells it."""

    place: Place
    at_ms: int
    app: str
    kind: str
    detail: dict[str, Any]

    def item(self, offset_ms: int) -> dict[str, Any]:
        """Return it for an answer; its time by the hub's clock."""
        return {
            "at_ms": self.at_ms + offset_ms,
            "app": self.app,
            "kind": self.kind,
            "detail": self.detail,
            "place": list(self.place),
        }


class JournalReader:
    """Reads journals from the stream."""

    def __init__(self, js: JetStream, rejections: Rejections) -> None:
        self._js, self._rejections = js, rejections

    async def read(
        self, cluster: ClusterName, *, apps: frozenset[str], before: Place | None, limit: int
    ) -> tuple[list[Told], bool]:
        """Return the last `limit` entries before a place, oldest first, and whether there are older ones.

        `apps`: of which applications, "" being the cluster as a whole; none named: of all.
        """
        found, of_epochs, seq = dict[tuple[Place, bool], Told](), dict[int, int](), 1
        while True:
            stored = await self._js.following(JOURNAL.name, subjects.journal(cluster), seq, READ_BATCH)
            for told in self._told(cluster, stored):
                of_epochs.setdefault(told.place[0], len(of_epochs))
                if before is None or _precedes(told.place, before, of_epochs):
                    found.setdefault((told.place, told.kind == "gap"), told)
            while len(found) > ENTRIES_MAX:
                del found[next(iter(found))]
            if len(stored) < READ_BATCH:
                break
            seq = stored[-1].seq + 1
        entries = [told for told in merged(found.values()) if not apps or told.app in apps]
        return entries[-limit:], len(entries) > limit

    def _told(self, cluster: ClusterName, stored: Iterable[Stored]) -> Iterator[Told]:
        for message in stored:
            try:
                yield from told_in(message.data)
            except (MalformedMessage, delta.TooLarge, delta.WrongBase) as error:
                self._rejections.add("journal batch", cluster=cluster, reason=str(error))


def told_in(data: bytes) -> Iterator[Told]:
    """Yield the entries of a batch. MalformedMessage, delta.TooLarge, delta.WrongBase."""
    batch = JournalBatch.unpack(data)
    entries = codec.unpack(delta.decompress(batch.frame, max_bytes=BATCH_MAX_BYTES))
    for entry in entries if isinstance(entries, list) else ():
        match entry:
            case [int(seq), int(at_ms), str(app), str(kind), dict(detail)]:
                yield Told((batch.epoch, seq), at_ms, app, kind, detail)
            case _:
                raise MalformedMessage("JournalBatch.frame: not [seq, at, application, kind, detail]")


def _precedes(place: Place, before: Place, of_epochs: Mapping[int, int]) -> bool:
    """Whether an entry comes before a place. What comes while the epoch of that place has not begun, does."""
    if before[0] not in of_epochs:
        return True
    return (of_epochs[place[0]], place[1]) < (of_epochs[before[0]], before[1])


def merged(came: Iterable[Told]) -> Iterator[Told]:
    """Yield entries in their order, without gaps that say nothing that isn't told; given in the order in which they came.

    Epochs are in the order in which they came: their numbers are of the edge's clock, which may have been set back.
    """
    entries = list(came)
    of_epochs = {epoch: rank for rank, epoch in enumerate(dict.fromkeys(told.place[0] for told in entries))}
    ordered = sorted(entries, key=lambda told: (of_epochs[told.place[0]], told.place[1], told.kind == "gap"))
    there = {told.place for told in ordered if told.kind != "gap"}
    reached = (-1, 0)
    for told in ordered:
        if told.kind != "gap":
            yield told
            continue
        epoch, first = told.place
        place = (of_epochs[epoch], _last_of(told))
        if place <= reached or all(
            (epoch, seq) in there for seq in range(first, min(place[1], first + 1000) + 1)
        ):
            continue
        reached = place
        yield told


def _last_of(told: Told) -> int:
    last = told.detail.get("to")
    return last if isinstance(last, int) and last >= told.place[1] else told.place[1]


def place_of(raw: object) -> Place | None:
    """Read `before`: [epoch, seq]."""
    match raw:
        case None:
            return None
        case [int(epoch), int(seq)]:
            return epoch, seq
    raise RequestRefused("`before` must be the `previous` of an earlier answer")
