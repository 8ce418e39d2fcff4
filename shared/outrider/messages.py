"""Every payload on the bus between hub and edge. Versioned arrays (`outrider.codec`); the subject says what it carries."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from outrider import codec, delta
from outrider.codec import MalformedMessage, Message
from outrider.names import AppName

REQUEST_ID_MAX_CHARS = 64


READS_BRIEF = 1
# The hub reads `StatusBatch.brief`.
BASE_BYTES, SET_BYTES = 2, 4
# Of a base's digest in a brief batch, and of the set's.


class Generation(NamedTuple):
    """Orders a cluster's Desired records: `counter` grows by one a record, `epoch` by one when a hub was restored."""

    epoch: int
    counter: int


@dataclass(frozen=True)
class Desired(Message):
    """What one application on one cluster should be. Travels sealed (`identity.signatures`) as `fleet.<c>.desired.<app>`.

    A tombstone has no digest: the application is to go, `cascade` says whether its objects go with it. An empty digest is a
    record without a bundle: the cluster's settings (`subjects.SETTINGS`), whose spec says it all, or an application that the
    edge renders itself, from `spec["render"]`: {"sources": Argo CD's, set fields only, "project": where it is not the default
    one}. Without sources there it stays at what was rendered last.
    """

    VERSION: ClassVar[int] = 1
    uid: bytes
    # 16 bytes; an application deleted and made again under the same name is another one
    epoch: int
    counter: int
    spec: dict[str, Any]
    # Argo CD's Application.spec without its sources, set fields only
    revision: str | bytes = ""
    # A commit as 20 bytes; anything else as text.
    digest: bytes | None = None
    base: bytes | None = None
    patch: bytes | None = None
    # A zstd patch against the bundle whose short digest is `base`, when it is small.
    cascade: bool = False

    @property
    def generation(self) -> Generation:
        """The record's place in the order of its cluster."""
        return Generation(self.epoch, self.counter)

    @property
    def is_tombstone(self) -> bool:
        """Whether the application is to go."""
        return self.digest is None


@dataclass(frozen=True)
class ResyncRequest(Message):
    """An agent's question on every connect: I have seen every record up to this generation, and hold this set."""

    epoch: int
    counter: int
    # 0, 0: nothing held
    set_digest: bytes
    # `set_digest` of what is held, tombstones not yet carried out included
    highest_epoch: int = 0
    highest_counter: int = 0
    # the highest generation ever accepted: a restored hub goes on above it
    limit: int = 0
    # bytes that the answer should have at most, as the link is slow; 0: as many as the hub likes


@dataclass(frozen=True)
class ResyncAnswer(Message):
    """What differs: sealed records by application. Absence means nothing: only a tombstone removes."""

    epoch: int
    counter: int
    # the cluster's newest generation
    records: list[Any] = field(default_factory=list)
    # [application token, sealed record] in the order of generations
    more: bool = False
    # ask again from the last record: the answer had reached its limit in bytes
    window_ms: int = 0
    # over which this fleet should come back when its hub was away; 0: it is small
    reads: int = 0
    # what of status the hub reads beyond the first version: READS_BRIEF


@dataclass(frozen=True)
class BundleRequest(Message):
    """A part of a bundle, from `offset` of its transfer form; repeat until `total`. Resumable at any offset."""

    digest: bytes
    held: list[Any] = field(default_factory=list)
    # short digests of bundles that the edge can patch from
    offset: int = 0
    base: bytes | None = None
    # on every part but the first: the base of the first answer, so that all parts are of one form
    limit: int = 128 << 10
    # bytes that the part may have: the agent asks for less on a slow link


@dataclass(frozen=True)
class BundlePart(Message):
    """One part of a bundle's transfer form: a whole frame, or a patch against the bundle `base`."""

    total: int = 0
    # 0: there is no such bundle
    data: bytes = b""
    base: bytes | None = None


@dataclass(frozen=True)
class ExportHeader(Message):
    """What an export of a cluster holds (`outrider.export_file`). Travels sealed under `subjects.EXPORT`."""

    cluster: str
    epoch: int
    counter: int
    # the generation up to which the set is complete
    made_at_ms: int
    # Unix time by the hub's clock
    records: int
    set_digest: bytes
    # SHA-256 over the sealed records (`export_file.set_digest`): none can be left out, added or put in place of another

    @property
    def generation(self) -> Generation:
        """Up to where whoever holds the set has seen everything."""
        return Generation(self.epoch, self.counter)


@dataclass(frozen=True)
class StatusBatch(Message):
    """What changed at an edge. Folded once for each (cluster, epoch, seq), in order."""

    epoch: int
    # of the replica: another one after it was rebuilt
    seq: int
    observed_at_ms: int
    # Unix time by the edge's clock; below zero: so long after the epoch
    set_digest: bytes
    # over (application, document digest) of all documents, after this batch, or its first bytes; empty: others follow before the set
    # is whole
    entries: list[Any] = field(default_factory=list)
    # [application token, short digest, base short digest or None, frame or None]; a frame of None: the document is gone
    frame: bytes = b""
    # zstd of the packed entries, in place of them

    def brief(self) -> "StatusBatch":
        """Return the batch as short as a hub reads it that said READS_BRIEF.

        Bases are named by their first bytes, since what comes out is checked by its digest; so is the set, which every heartbeat tells
        wholly. The time counts from the epoch, and what entries have in common is said once.
        """
        entries = [
            [app, digest, base and base[:BASE_BYTES], frame] for app, digest, base, frame in self.entries
        ]
        packed = codec.pack(entries)
        frame = delta.compress(packed, level=delta.LEVEL_OFTEN)
        is_shorter = len(frame) < len(packed)
        return dataclasses.replace(
            self,
            observed_at_ms=min(self.epoch - self.observed_at_ms, 0) or self.observed_at_ms,
            set_digest=self.set_digest[:SET_BYTES],
            entries=[] if is_shorter else entries,
            frame=frame if is_shorter else b"",
        )

    def with_entries(self) -> "StatusBatch":
        """Return the batch with its time and its entries as they are; MalformedMessage if they can't be read."""
        at_ms, entries = self.observed_at_ms, self.entries
        if at_ms < 0:
            at_ms = self.epoch - at_ms
        if self.frame:
            try:
                entries = codec.unpack(delta.decompress(self.frame, max_bytes=codec.MESSAGE_MAX_BYTES))
            except (delta.WrongBase, delta.TooLarge) as error:
                raise MalformedMessage(f"StatusBatch.frame: {error}") from error
            if not isinstance(entries, list):
                raise MalformedMessage("StatusBatch.frame: not a list of entries")
        return dataclasses.replace(self, observed_at_ms=at_ms, entries=entries, frame=b"")


class StatusEntry(NamedTuple):
    """One entry of a batch."""

    app: AppName
    digest: bytes
    base: bytes | None
    frame: bytes | None

    @classmethod
    def parse(cls, raw: Any) -> "StatusEntry":
        """Return a checked entry; MalformedMessage otherwise."""
        # By type and not by pattern: it runs for every change of a fleet.
        if type(raw) is list and len(raw) == 4:
            app, digest, base, frame = raw
            if type(app) is str and type(digest) is bytes and _is_bytes(base) and _is_bytes(frame):
                return cls(AppName(app), digest, base, frame)
        raise MalformedMessage("StatusBatch.entries: not [app, digest, base, frame]")


def _is_bytes(value: Any) -> bool:
    return value is None or type(value) is bytes


@dataclass(frozen=True)
class JournalBatch(Message):
    """What happened at an edge, in order. The same entry may come twice: it is known by (epoch, sequence number)."""

    epoch: int
    # of the replica: another one after it was rebuilt, whose numbers begin anew
    frame: bytes
    # zstd of msgpack: [[seq, Unix ms by the edge's clock, application or "", kind, detail], ...]


@dataclass(frozen=True)
class Command(Message):
    """A request to an agent; answered by `CommandReply` on `fleet.<cluster>.reply.<request_id>`."""

    request_id: str
    # becomes a token of the answer's subject, also where nobody waits for one: agents refuse what can't
    arguments: dict[str, Any] = field(default_factory=dict)

    @property
    def has_token(self) -> bool:
        """Whether its id can be a token of a subject."""
        return self.request_id.isalnum() and len(self.request_id) <= REQUEST_ID_MAX_CHARS


@dataclass(frozen=True)
class CommandReply(Message):
    """An agent's answer. `last` ends a stream of answers; `error` is a sentence for the person who asked."""

    body: Any = None
    error: str = ""
    last: bool = True
