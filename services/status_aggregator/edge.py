"""What the hub knows of one edge, and what a batch changes of it. Data; `fold` makes the one from the other."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from msgspec import UNSET, Struct

from outrider.messages import StatusBatch
from status_aggregator.document import DOCUMENT_MAX_BYTES, UNKNOWN
from status_aggregator.shape import Listed


@dataclass(frozen=True)
class Limits:
    """What one cluster may make the hub hold."""

    document_max_bytes: int = DOCUMENT_MAX_BYTES
    cluster_max_bytes: int = 32 << 20
    # of documents: one stolen identity must not fill the bucket of the fleet
    batch_max_bytes: int = 32 << 20
    # unpacked from one batch: frames of 40 bytes can each announce a whole document
    apps_max: int = 5_000


class Marks(Struct, frozen=True, gc=False):
    """What events are made from."""

    sync: str = ""
    health: str = UNKNOWN
    phase: str = ""
    # of the last operation; empty: there was none
    started_at: str = ""
    # tells one operation from the next

    @classmethod
    def of(cls, state: Listed | None) -> "Marks":
        """Return those of a document; of a cluster's own, none."""
        if state is None:
            return NO_MARKS
        sync, health, operation = state.sync.status, state.health.status, state.operation_state
        return (
            cls(sync, health)
            if operation is UNSET
            else cls(sync, health, operation.phase, operation.started_at)
        )


NO_MARKS = Marks()


class Known(Struct, frozen=True, gc=False):
    """One application of an edge, and the newest document of it that came, whatever was announced since."""

    announced: bytes
    # short digest of the newest document that the edge has
    digest: bytes = b""
    # short, of the document that is held; empty: none is
    frame: bytes = b""
    # see `frames`; compressed once it is written
    size_bytes: int = 0
    marks: Marks = NO_MARKS
    # of the last document that could be taken
    refused: bool = False
    # the announced document can't be held, however often it is sent

    @property
    def lacking(self) -> bool:
        """Whether the edge has a document that the hub still needs."""
        return self.digest != self.announced and not self.refused


@dataclass(frozen=True)
class Edge:
    """What the hub knows of one cluster. `epoch` None: it has never been heard of."""

    epoch: int | None = None
    seq: int = 0
    apps: dict[str, Known] = field(default_factory=dict)
    # by application token; folding makes another one, and only a frame is ever exchanged in it
    gathered: Mapping[str, bytes] | None = None
    # announced digests since the set began to differ, the edge began anew or was asked for everything; None: the set agrees
    lacking: frozenset[str] = frozenset()
    # applications whose announced document is still needed
    size_bytes: int = 0
    # of the held documents
    retired: tuple[tuple[int, int], ...] = ()
    # epochs that were replaced, and until when (passed time in ms) they are not believed


class Change(Struct, frozen=True, gc=False):
    """An application whose document is another one than before."""

    app: str
    before: Known | None
    after: Known
    state: Listed | None
    # None: of the cluster's own


@dataclass(frozen=True)
class Folded:
    """What a batch, or several, came to."""

    edge: Edge
    last: StatusBatch | None = None
    # the newest that was folded
    old: int = 0
    # how many were folded before, or are of an epoch that was replaced
    is_restart: bool = False
    changes: tuple[Change, ...] = ()
    documents: int = 0
    # that came; of those of one application only the last one is a change
    removed: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    # said to be gone, though the hub did not know of them
    refused: tuple[tuple[str, str], ...] = ()
    # applications whose newest document can't be taken, and why
    differs: bool = False
    # the set is not the edge's: everything is to be asked for
    entries: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    # entries by kind of fault

    @property
    def is_old(self) -> bool:
        """Whether all were folded before, or are of an epoch that was replaced: nothing has changed."""
        return self.last is None


def begin_gathering(edge: Edge) -> Edge:
    """Return the state from which a whole set is gathered: the edge has been asked for everything."""
    return replace(edge, gathered={})
