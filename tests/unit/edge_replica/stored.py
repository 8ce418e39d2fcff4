"""A replica with something of everything in it, and what a reader may say of it once it was damaged: the truth, or nothing."""

import asyncio
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_agent.journal import Entry, Journal
from edge_agent.replica import Bundles, Database, Holdings, Loss, Progress, Rendered, Renderings, opened
from outrider import codec, delta
from outrider.messages import Desired, Generation
from outrider.names import AppName
from outrider.subjects import SETTINGS

APPS = [AppName(f"app-{n}") for n in range(5)]
KINDS = ("drift", "in-sync", "sync-failed", "sync-succeeded", "health")
ENTRIES = 60


def bundle(n: int) -> bytes:
    return codec.canonical([{"kind": "ConfigMap", "metadata": {"name": f"c{n}.{m}"}} for m in range(40)])


def record(n: int, counter: int) -> Desired:
    spec = {"destination": {"namespace": f"ns-{n}"}, "note": "x" * (50 * n)}
    return Desired(bytes([n]) * 16, 1, counter, spec, bytes([counter]) * 20, delta.digest(bundle(n)))


@dataclass
class Truth:
    """What was stored."""

    records: dict[AppName, Desired] = field(default_factory=dict)
    progress: dict[AppName, dict[str, Any]] = field(default_factory=dict)
    cores: dict[AppName, dict[str, Any]] = field(default_factory=dict)
    entries: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    counter: int = 0


def store(database: Database) -> Truth:
    """Put something of everything into a replica."""
    truth, bundles = Truth(), Bundles(database)
    holdings, progress, journal = Holdings(database, bundles), Progress(database), Journal(database)
    renderings = Renderings(database, bundles)
    for n, app in enumerate(APPS):
        truth.counter += 1
        truth.records[app] = record(n, truth.counter)
        holdings.accept(app, truth.records[app], bundle(n), Generation(1, truth.counter))
        truth.cores[app] = {"under_way": [f"identity-{n}", "Succeeded"], "history": ["h" * 100]}
        truth.progress[app] = {"in_sync": [["k" * 30, m] for m in range(20)]}
        needed = [delta.short(delta.digest(bundle(n))).hex()]
        asyncio.run(progress.put(app, truth.progress[app], needed, truth.cores[app]))
    for app, spec in ((SETTINGS, {"timeZone": "Europe/Berlin"}), (AppName("rendered"), {})):
        truth.counter += 1
        truth.records[app] = Desired(b"s" * 16, 1, truth.counter, spec, "r", b"")
        holdings.accept(app, truth.records[app], None, Generation(1, truth.counter))
    renderings.put(AppName("rendered"), Rendered("c1", delta.digest(bundle(9)), "f"), "identity", bundle(9))
    for n in range(ENTRIES):
        app, kind, detail = APPS[n % 5], KINDS[n % 5], {"n": n, "startedAt": str(n)}
        journal.append(1000 + n, [(app, kind, dict(detail))])
        truth.entries[n + 1] = (1000 + n, app, kind, detail)
    journal.acknowledge(ENTRIES // 3)
    return truth


def copied(folder: Path, to: Path) -> Path:
    """Copy a replica as a kill would leave it, log included."""
    to.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        shutil.copyfile(file, to / file.name)
    return to / "replica.sqlite"


def flip(file: Path, bit: int) -> None:
    """Turn one bit round."""
    with file.open("r+b") as data:
        data.seek(bit // 8)
        byte = data.read(1)[0]
        data.seek(bit // 8)
        data.write(bytes([byte ^ (1 << (bit % 8))]))


def examine(path: Path, truth: Truth) -> list[Loss]:
    """Read everything from a replica that may be damaged; nothing wrong is believed. Return what it says is lost."""
    with opened(path) as database:
        bundles = Bundles(database)
        holdings, progress, journal = Holdings(database, bundles), Progress(database), Journal(database)
        held = {one.app: one.record for one in holdings.all()}
        assert all(held[app] == truth.records[app] for app in held), held.keys()
        assert holdings.generations() == {app: one.generation for app, one in held.items()}
        assert all(holdings.get(app) is not None for app in held)
        assert holdings.complete <= (1, truth.counter)
        if held.keys() != truth.records.keys():
            assert holdings.complete == (0, 0)
        assert max((one.generation for one in held.values()), default=(0, 0)) <= holdings.highest
        assert holdings.highest <= (1, truth.counter)
        for n in (*range(5), 9):
            assert bundles.get(delta.digest(bundle(n))) in (None, bundle(n))
        for app in APPS:
            found = asyncio.run(progress.get(app))
            known = truth.progress[app] | truth.cores[app]
            assert found in (None, truth.progress[app], truth.cores[app], known)
        rendered = Renderings(database, bundles).get(AppName("rendered"))
        assert rendered is None or (rendered.revision, rendered.digest) == ("c1", delta.digest(bundle(9)))
        told = numbers(journal.unsent(1 << 30), truth)
        if journal.sent:
            assert set(told) == set(range(journal.sent + 1, max(told, default=journal.sent) + 1))
        journal.ends_of_syncs()
        # It goes on.
        holdings.accept(APPS[0], record(0, 99), None, Generation(1, 99))
        asyncio.run(progress.put(APPS[0], {"v": 2}, (), {"v": 3}))
        journal.append(5000, [("", "agent-started", {})])
        return list(database.losses)


def numbers(entries: Iterable[Entry], truth: Truth) -> dict[int, str]:
    """Return for every number whether it is there or in a gap; each at most once, and what is there is true."""
    found: dict[int, str] = {}
    for entry in entries:
        for seq in range(entry.seq, entry.last_seq + 1):
            assert seq not in found, f"{seq} is told twice"
            found[seq] = entry.kind
        if entry.kind != "gap":
            assert (entry.at_ms, entry.app, entry.kind, entry.detail) == truth.entries[entry.seq]
    return found
