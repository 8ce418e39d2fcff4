"""An edge as far as the status-aggregator can tell: documents, batches, and answers to what the hub asks. No I/O."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from outrider import codec, delta
from outrider.messages import StatusBatch

LARGE_BYTES = 100_000
# Compressing more than this for the size of it would take most of a test's time.


def status(
    health: str = "Healthy",
    *,
    sync: str = "Synced",
    revision: str = "a" * 40,
    message: str = "",
    objects: int = 2,
    operation: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a status document."""
    document: dict[str, Any] = {
        "sync": {"status": sync, "revision": revision},
        "health": {"status": health, **({"message": message} if message else {})},
        "conditions": [],
        "resources": [
            {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "shop", "name": f"till-{n}",
             "status": sync, "health": {"status": health}}
            for n in range(objects)
        ],
        "summary": {"images": ["registry.example/till:1.0"]},
    }  # fmt: skip
    return document if operation is None else {**document, "operationState": operation}


def operation(phase: str, started_at: str = "2026-01-01T10:00:00Z") -> dict[str, Any]:
    """Return an operation's state."""
    return {"phase": phase, "message": f"it {phase.lower()}", "startedAt": started_at}


def entry(app: str, document: Any, base: Any = None) -> list[Any]:
    """Return an entry of a batch: whole, or a patch against `base`."""
    new = codec.canonical(document)
    if len(new) > LARGE_BYTES:
        return [app, delta.short(delta.digest(new)), None, delta.compress_fast(new)]
    sent = delta.Delta.between(new, None if base is None else codec.canonical(base))
    return [app, delta.short(sent.digest), sent.base, sent.frame]


def gone(app: str) -> list[Any]:
    """Return the entry of an application that the edge no longer has."""
    return [app, b"", None, None]


def digest_of(documents: dict[str, Any]) -> bytes:
    """Return the set digest of documents."""
    return delta.set_digest(
        {
            app: delta.short(delta.digest(codec.canonical(document)))
            for app, document in documents.items()
            if app != "$cluster"
        }
    )


def batch(
    seq: int,
    documents: dict[str, Any],
    entries: Iterable[list[Any]] = (),
    *,
    epoch: int = 1,
    at_ms: int = 1_000,
) -> StatusBatch:
    """Return a batch after which the edge has exactly `documents`."""
    return StatusBatch(epoch, seq, at_ms, digest_of(documents), list(entries))


@dataclass
class EdgeModel:
    """One edge. What changed goes in the next batch, as a patch against what the hub acknowledged last."""

    epoch: int = 1
    seq: int = 0
    documents: dict[str, Any] = field(default_factory=dict)
    acknowledged: dict[str, Any] = field(default_factory=dict)
    dirty: set[str] = field(default_factory=set)

    def put(self, app: str, document: dict[str, Any]) -> None:
        """Change a document."""
        self.documents[app] = document
        self.dirty.add(app)

    def remove(self, app: str) -> None:
        """Remove an application."""
        del self.documents[app]
        self.dirty.add(app)

    def restart(self) -> None:
        """Begin anew, with whole documents."""
        self.epoch, self.seq = self.epoch + 1, 0
        self.acknowledged.clear()
        self.dirty = set(self.documents)

    def asked(self, apps: list[str] | None) -> None:
        """Take up a request for whole documents."""
        for app in self.documents if apps is None else apps:
            self.acknowledged.pop(app, None)
            self.dirty.add(app)

    def take(self, at_ms: int = 1_000, most: int | None = None) -> StatusBatch:
        """Return the next batch, of `most` entries; it counts as acknowledged."""
        sent = sorted(self.dirty)[:most]
        entries = [
            entry(app, self.documents[app], self.acknowledged.get(app))
            if app in self.documents
            else gone(app)
            for app in sent
        ]
        self.seq += 1
        for app in sent:
            self.dirty.discard(app)
            if app in self.documents:
                self.acknowledged[app] = self.documents[app]
            else:
                self.acknowledged.pop(app, None)
        return batch(self.seq, self.documents, entries, epoch=self.epoch, at_ms=at_ms)
