"""The aggregator dies at any step, and is started again: nothing is lost, nothing is told twice."""

import itertools
import json
import random
from collections import Counter
from typing import Any

import pytest
from tests.integration.status_aggregator.conftest import Fleet
from tests.unit.status_aggregator.edge_model import operation, status

from outrider.bus.follow import follow
from outrider.bus.jetstream import JetStream
from outrider.tasks import background
from outrider.topology import EVENTS, STATUSES
from status_aggregator import commit
from status_aggregator.folding import Folding


class Died(Exception):
    """The process is gone."""


class MortalJetStream(JetStream):
    """Lets a number of writes through; with the next one the process dies."""

    def __init__(self, inner: JetStream, lives: int) -> None:
        super().__init__(inner.connection)
        self.lives = lives

    async def publish(self, subject: str, data: bytes, headers: dict[str, str] | None = None) -> int:
        if self.lives <= 0:
            raise Died
        self.lives -= 1
        return await super().publish(subject, data, headers)


async def fold_twice(fleet: Fleet, js: JetStream, lives: int, seq: int) -> tuple[bool, Folding]:
    """Fold with one that dies after so many writes, then with another; return whether the first died, and the other."""
    has_died = False
    try:
        async with fleet.folding(MortalJetStream(js, lives)) as part, background(part.run(), name="fold"):
            await fleet.until_committed(seq)
    except* Died:
        has_died = True
    async with fleet.folding(js) as part, background(part.run(), name="fold"):
        await fleet.until_committed(seq)
    return has_died, part


@pytest.mark.parametrize("takes_batches", [True, False], ids=["batches", "single-writes"])
async def test_a_crash_at_any_write_loses_nothing_and_doubles_nothing(
    fleet: Fleet, takes_batches: bool
) -> None:
    edge = await fleet.edge("shop1")
    expected = Counter[str]()
    async with fleet.hub.connect("aggregator") as connection:
        js = JetStream(connection)
        await let_batches(js, takes_batches)
        for lives in itertools.count():
            document = status("Degraded", operation=operation("Succeeded", f"{lives}"))
            edge.model.put("till", document)
            edge.model.put("menu", status("Healthy", objects=lives))
            if lives % 3 == 2:
                edge.model.remove("menu")
            await edge.flush()
            edge.model.put("till", status("Progressing", operation=operation("Running", f"{lives}+")))
            seq = await edge.flush()
            has_died, part = await fold_twice(fleet, js, lives, seq)
            await fleet.until_documents("shop1", edge.model.documents)
            assert part.mender.asked == 0
            assert not part.around.rejections.counts
            expected["sync-succeeded till"] += 1
            expected["health-changed till"] += 2
            if not has_died:
                break
    # One for each part at least: events, documents, edges and cursor.
    assert lives >= 3
    told = await events(fleet)
    assert Counter({name: n for name, n in told.items() if "till" in name}) == expected


async def test_a_crash_in_a_storm_loses_nothing_and_tells_what_stands_in_the_end(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whatever waits to be written is a storm: what comes meanwhile is folded together.
    monkeypatch.setattr(commit, "STORM", 0)
    edges = [await fleet.edge(f"shop{n}") for n in range(3)]
    coalesced = 0
    async with fleet.hub.connect("aggregator") as connection:
        js = JetStream(connection)
        for lives in itertools.count():
            for n in range(12):
                for edge in edges:
                    edge.model.put("till", status(("Degraded", "Progressing")[n % 2], objects=n))
                    edge.model.put("menu", status("Healthy", objects=(lives + n) % 4))
                    if n % 5 == 4:
                        edge.model.remove("menu")
                    seq = await edge.flush()
            has_died, part = await fold_twice(fleet, js, lives, seq)
            coalesced += part.ingest.counts.coalesced
            for edge in edges:
                await fleet.until_documents(edge.cluster, edge.model.documents)
            assert part.mender.asked == 0
            assert not part.around.rejections.counts
            if not has_died:
                break
    assert lives >= 3
    assert coalesced
    for edge in edges:
        assert (await last_event(fleet, edge.cluster, "till"))["health"] == "Progressing"


async def last_event(fleet: Fleet, cluster: str, app: str) -> dict[str, Any]:
    """Return what the stream told last of an application's health."""
    async with fleet.hub.connect("person") as connection:
        stored = await JetStream(connection).last(EVENTS.name, f"events.{cluster}.{app}.health-changed")
    found: dict[str, Any] = json.loads(stored.data)["data"]
    return found


async def let_batches(js: JetStream, takes: bool) -> None:
    for name in (EVENTS.name, STATUSES.stream):
        config = (await js.api(f"STREAM.INFO.{name}"))["config"]
        await js.api(f"STREAM.UPDATE.{name}", {**config, "allow_atomic": takes})


async def events(fleet: Fleet) -> Counter[str]:
    """Return how often each event is in the stream."""
    found: Counter[str] = Counter()
    async with fleet.hub.connect("aggregator") as connection:
        js = JetStream(connection)
        last = (await js.api(f"STREAM.INFO.{EVENTS.name}"))["state"]["last_seq"]
    async with fleet.hub.connect("person") as connection:
        async for batch in follow(JetStream(connection), EVENTS.name):
            for stored in batch.messages:
                told: dict[str, Any] = json.loads(stored.data)
                found[f"{stored.subject.rsplit('.', 1)[1]} {told['data'].get('application', '')}"] += 1
            if last == sum(found.values()):
                return found
    raise AssertionError("a stream does not end")


async def test_an_aggregator_that_is_killed_again_and_again_ends_with_what_the_edges_have(
    fleet: Fleet,
) -> None:
    rng = random.Random(3)
    edges = [await fleet.edge(f"shop{n}") for n in range(3)]
    for round_number in range(4):
        async with fleet.process():
            for n in range(rng.randrange(20, 40)):
                edge = rng.choice(edges)
                edge.model.put(
                    f"app{rng.randrange(4)}", status(rng.choice(["Healthy", "Degraded"]), objects=n % 5)
                )
                await edge.flush()
            if round_number:
                # Written by this process or the one before: it was killed while it was at work, not before.
                await fleet.until_stored(lambda found: any("." in key for key in found))
    async with fleet.process():
        for edge in edges:
            await fleet.until_documents(edge.cluster, edge.model.documents)
