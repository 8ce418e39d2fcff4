"""`hub.status.journal`: what happened at an edge, told by itself, also of the time when nobody heard from it.

The stream is the store: batches are read when somebody asks, and only that cluster's. The same entry may have come twice (an
acknowledgement was lost), and a gap may reach over entries that came before it was made; an entry that is there counts. What
is no batch, or no entry, is left out and counted: the journal goes on.
"""

from collections.abc import Iterable, Iterator
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
        found: dict[tuple[Place, bool], Told] = {}
        seq = 1
        while True:
            stored = await self._js.following(JOURNAL.name, subjects.journal(cluster), seq, READ_BATCH)
            for told in self._told(cluster, stored):
                if (not apps or told.app in apps) and (before is None or told.place < before):
                    found[told.place, told.kind == "gap"] = told
            if len(stored) < READ_BATCH:
                break
            seq = stored[-1].seq + 1
        entries = list(merged(found.values()))
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


def merged(entries: Iterable[Told]) -> Iterator[Told]:
    """Yield entries in their order, without gaps that say nothing that isn't told."""
    ordered = sorted(entries, key=lambda told: (told.place, told.kind == "gap"))
    there = {told.place for told in ordered if told.kind != "gap"}
    reached: Place = (0, 0)
    for told in ordered:
        if told.kind != "gap":
            yield told
            continue
        epoch, first = told.place
        last = _last_of(told)
        if (epoch, last) <= reached or all(
            (epoch, seq) in there for seq in range(first, min(last, first + 1000) + 1)
        ):
            continue
        reached = (epoch, last)
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
