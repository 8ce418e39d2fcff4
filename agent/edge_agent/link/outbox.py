"""What is to go up: the newest status document of each application, and what the hub has of it. Pure.

Keyed by application: during an outage it holds one document each, however much happens. A document goes as a patch
against the one that the hub acknowledged last, or whole when there is none.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from outrider import codec, delta, subjects
from outrider.messages import StatusBatch
from outrider.names import AppName, token

ENTRY_OVERHEAD_BYTES = 64


@dataclass
class _Document:
    packed: bytes
    digest: bytes
    health: str
    acknowledged: bytes | None = None
    # the packed document that the hub has


@dataclass(frozen=True)
class Sending:
    """A batch on its way, and what is acknowledged with it: the packed documents; None for one that is gone."""

    batch: StatusBatch
    documents: dict[AppName, bytes | None]


@dataclass
class Outbox:
    """The documents of one agent. `epoch` is the process's: a new one begins with whole documents."""

    epoch: int
    is_brief: bool = False
    # whether the hub reads brief batches
    is_whole: bool = True
    # whether an application without a document here is none of this cluster's: what a set leaves out counts as gone
    _documents: dict[AppName, _Document] = field(default_factory=dict)
    _dirty: dict[AppName, None] = field(default_factory=dict)
    # in the order of their first change
    _urgent: dict[AppName, None] = field(default_factory=dict)
    # those of them whose health became another: they go first
    _gone: set[AppName] = field(default_factory=set)
    _seq: int = 0

    @property
    def is_dirty(self) -> bool:
        """Whether anything is to be sent."""
        return bool(self._dirty)

    @property
    def waiting(self) -> int:
        """How many documents are to be sent."""
        return len(self._dirty)

    @property
    def is_urgent(self) -> bool:
        """Whether a health transition is to be sent."""
        return bool(self._urgent)

    @property
    def known(self) -> frozenset[AppName]:
        """The applications that have a document."""
        return frozenset(self._documents)

    def put(self, app: AppName, document: dict[str, Any]) -> bool:
        """Take the newest document of an application; return whether it differs from the one before."""
        packed = codec.canonical(document)
        health = str((document.get("health") or {}).get("status", ""))
        self._gone.discard(app)
        known = self._documents.get(app)
        if known is None:
            self._documents[app] = _Document(packed, delta.short_digest(packed), health)
        elif known.packed == packed:
            return False
        else:
            if known.health != health:
                self._urgent[app] = None
            known.packed, known.digest, known.health = packed, delta.short_digest(packed), health
        self._dirty[app] = None
        return True

    def remove(self, app: AppName) -> None:
        """The application is gone from this cluster."""
        self._documents.pop(app, None)
        self._urgent.pop(app, None)
        self._gone.add(app)
        self._dirty[app] = None

    def resend(self, apps: Iterable[AppName] | None) -> None:
        """The hub lacks these documents (None: it may lack any): they go whole."""
        for app in list(self._documents) if apps is None else apps:
            if (known := self._documents.get(app)) is not None:
                known.acknowledged = None
                self._dirty[app] = None
            elif apps is not None:
                self._gone.add(app)
                self._dirty[app] = None

    def set_digest(self) -> bytes:
        """Return the digest of the documents of all applications."""
        return delta.set_digest(
            {
                token(app): document.digest
                for app, document in self._documents.items()
                if app != subjects.CLUSTER
            }
        )

    def take(self, now_ms: int, max_bytes: int, *, urgent_only: bool = False) -> Sending:
        """Return the next batch: what is dirty, health transitions first, up to `max_bytes`; without entries a heartbeat."""
        entries: list[Any] = []
        documents: dict[AppName, bytes | None] = {}
        size = 0
        others = () if urgent_only else (app for app in self._dirty if app not in self._urgent)
        for app in (*self._urgent, *others):
            entry, packed = self._entry(app)
            size += len(entry[3] or b"") + ENTRY_OVERHEAD_BYTES
            if entries and size > max_bytes:
                break
            entries.append(entry)
            documents[app] = packed
        self._seq += 1
        is_last = self.is_whole and len(documents) == len(self._dirty)
        set_digest = self.set_digest() if is_last else b""
        batch = StatusBatch(self.epoch, self._seq, now_ms, set_digest, entries)
        return Sending(batch.brief() if self.is_brief and entries else batch, documents)

    def _entry(self, app: AppName) -> tuple[list[Any], bytes | None]:
        known = self._documents.get(app)
        if known is None:
            return [token(app), b"", None, None], None
        sent = delta.Delta.between(known.packed, known.acknowledged, delta.LEVEL_OFTEN)
        return [token(app), known.digest, sent.base, sent.frame], known.packed

    def acknowledged(self, sending: Sending) -> list[AppName]:
        """The hub has stored the batch: later patches are made against it. Return the applications that it knows to be gone."""
        gone: list[AppName] = []
        for app, packed in sending.documents.items():
            known = self._documents.get(app)
            if known is not None and packed is not None:
                known.acknowledged = packed
            if (known.packed if known is not None else None) == packed:
                self._dirty.pop(app, None)
                self._urgent.pop(app, None)
                if packed is None:
                    self._gone.discard(app)
                    gone.append(app)
        return gone
