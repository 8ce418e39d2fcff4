"""Status documents as edges write them, and what travels of them: whole once, then patches against the one before.

An application goes round through eight states: its health flaps, two revisions take turns, each with a sync that runs and ends.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from outrider import codec, delta
from outrider.messages import StatusBatch

RESOURCES = (4, 4, 6, 8, 8, 12, 16, 24, 40, 60)
"""Objects of an application, in turn over those of a cluster."""
KINDS = (
    ("apps", "v1", "Deployment"),
    ("", "v1", "Service"),
    ("", "v1", "ConfigMap"),
    ("", "v1", "ServiceAccount"),
)
REVISIONS = ("7c1f0e5b6f0f4f3f9d2a1e8c5b4a39281706f5e4", "2b9d8a7c6e5f4d3c2b1a0f9e8d7c6b5a49382716")
STATES = (
    # sync, health, revision, phase of the operation, which operation
    ("Synced", "Healthy", 0, "Succeeded", 0),
    ("Synced", "Degraded", 0, "Succeeded", 0),
    ("Synced", "Healthy", 0, "Succeeded", 0),
    ("OutOfSync", "Healthy", 1, "Succeeded", 0),
    ("OutOfSync", "Progressing", 1, "Running", 1),
    ("Synced", "Healthy", 1, "Succeeded", 1),
    ("OutOfSync", "Healthy", 0, "Succeeded", 1),
    ("OutOfSync", "Progressing", 0, "Running", 2),
)


def document(app: str, objects: int, state: int, started: int) -> bytes:
    """Return an application's packed document; `started` makes those of one cluster another one's."""
    sync, health, revision, phase, operation = STATES[state]
    resources = [_resource(app, n, sync, health if n == 0 else "Healthy") for n in range(objects)]
    begun = f"2026-11-30T{started % 24:02}:{started % 60:02}:{operation:02}Z"
    found: dict[str, Any] = {
        "sync": {"status": sync, "revision": REVISIONS[revision]},
        "health": {"status": health} if health == "Healthy" else {"status": health, "message": "0 of 1 pods are ready"},
        "conditions": [],
        "resources": resources,
        "summary": {"images": [f"registry.example.com/{app}:1.{revision}"]},
        "operationState": {
            "phase": phase,
            "startedAt": begun,
            "message": "successfully synced" if phase == "Succeeded" else "waiting for healthy state",
            "operation": {"sync": {"revision": REVISIONS[revision]}},
            "syncResult": {"revision": REVISIONS[revision], "resources": [_result(one) for one in resources]},
        },
    }  # fmt: skip
    return codec.canonical(found)


def _resource(app: str, number: int, sync: str, health: str) -> dict[str, Any]:
    group, version, kind = KINDS[number % len(KINDS)]
    name = app if number < len(KINDS) else f"{app}-part-{number // len(KINDS)}"
    found = {"group": group, "version": version, "kind": kind, "namespace": app, "name": name}
    status = sync if kind == "Deployment" else "Synced"
    return {**found, "status": status, **({"health": {"status": health}} if kind != "ConfigMap" else {})}


def _result(resource: dict[str, Any]) -> dict[str, Any]:
    named = {key: resource[key] for key in ("group", "version", "kind", "namespace", "name")}
    return {**named, "status": "Synced", "message": f"{resource['kind'].lower()} serverside-applied"}


@dataclass(frozen=True)
class Told:
    """What an edge says of an application in one state: its digest, whole, and as a patch against the state before."""

    digest: bytes
    whole: bytes
    base: bytes
    patch: bytes
    size_bytes: int


def told(app: str, objects: int, started: int) -> list[Told]:
    """Return what is said of each state, made as the agent makes it."""
    packed = [document(app, objects, state, started) for state in range(len(STATES))]
    found = []
    for before, after in zip((packed[-1], *packed), packed, strict=False):
        sent = delta.Delta.between(after, before)
        if sent.base is None:
            raise RuntimeError("a change of status is no patch")
        whole, short = delta.compress(after), delta.short(sent.digest)
        found.append(Told(short, whole, sent.base, sent.frame, len(after)))
    return found


class Edge:
    """One cluster's side of the link: batches of its applications, in the order in which they are to be acknowledged."""

    def __init__(self, epoch: int, apps: dict[str, list[Told]], batch: int) -> None:
        self._epoch, self._apps, self._batch = epoch, apps, batch
        self._names = list(apps)
        self._states = dict.fromkeys(apps, 0)
        self._seq = 0
        self._next = 0

    def first(self, now_ms: int) -> Iterator[bytes]:
        """Yield the batches of a process that begins: all documents, whole."""
        for start in range(0, len(self._names), self._batch):
            names = self._names[start : start + self._batch]
            entries = [[name, self._apps[name][0].digest, None, self._apps[name][0].whole] for name in names]
            yield self._packed(now_ms, entries, is_last=start + self._batch >= len(self._names))

    def change(self, now_ms: int) -> bytes:
        """Return a batch in which each of the next applications is in its next state."""
        entries = []
        for _ in range(self._batch):
            name = self._names[self._next % len(self._names)]
            self._next += 1
            state = self._states[name] = (self._states[name] + 1) % len(STATES)
            said = self._apps[name][state]
            entries.append([name, said.digest, said.base, said.patch])
        return self._packed(now_ms, entries, is_last=True)

    def _packed(self, now_ms: int, entries: list[Any], *, is_last: bool) -> bytes:
        self._seq += 1
        digests = {name: self._apps[name][state].digest for name, state in self._states.items()}
        set_digest = delta.set_digest(digests) if is_last else b""
        return StatusBatch(self._epoch, self._seq, now_ms, set_digest, entries).pack()
