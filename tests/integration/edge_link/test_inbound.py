"""The way down against a real server: a scripted hub signs records and serves bundles, an edge takes them in."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edge_agent.link.allowance import Allowance
from edge_agent.link.budget import Limits
from edge_agent.link.inbound import Inbound
from edge_agent.link.resync import Resync
from edge_agent.replica import Bundles, Held, Holdings, opened
from outrider import codec, delta, subjects
from outrider.identity import signatures
from outrider.messages import Desired
from outrider.names import AppName
from outrider.tasks import background
from outrider_playground.waiting import eventually

from .scripted import SEED, SHOP1, TILL, ScriptedHub, manifests


@dataclass
class Edge:
    holdings: Holdings
    inbound: Inbound
    accepted: asyncio.Queue[Held]

    async def next(self) -> Held:
        async with asyncio.timeout(10):
            return await self.accepted.get()


@asynccontextmanager
async def edge_over(hub: Any, replica: Path) -> AsyncIterator[Edge]:
    accepted: asyncio.Queue[Held] = asyncio.Queue()
    with opened(replica) as database:
        bundles = Bundles(database)
        holdings = Holdings(database, bundles)
        async with hub.connect_edge(SHOP1) as connection:
            keys = [signatures.public_key(SEED)]
            allowance = Allowance(Limits(), time.time, database)
            inbound = Inbound(
                connection,
                SHOP1,
                keys,
                holdings,
                bundles,
                allowance,
                accepted.put_nowait,
                lambda _app, _text: None,
            )
            resync = Resync(connection, SHOP1, holdings, inbound, allowance, random.Random(3))
            async with background(inbound.run(), resync.run(), name="edge"):
                yield Edge(holdings, inbound, accepted)


async def in_step(edge: Edge, generation: tuple[int, int]) -> None:
    await eventually(lambda: edge.holdings.complete == generation)


async def test_a_record_that_arrives_is_stored_with_its_bundle_before_it_is_handed_on(
    hub: Any, scripted: ScriptedHub, tmp_path: Path
) -> None:
    old, new = (
        await scripted.bundles.put(manifests("till:1")),
        await scripted.bundles.put(manifests("till:2")),
    )
    patch = await scripted.bundles.patch(new, old)
    async with edge_over(hub, tmp_path / "replica") as edge:
        await in_step(edge, (1, 0))
        await scripted.release(TILL, old)
        assert (await edge.next()).generation == (1, 1)
        await scripted.release(TILL, new, base=delta.short(old), patch=patch)
        assert (await edge.next()).record.digest == new
        assert edge.holdings.complete == (1, 2)
    with opened(tmp_path / "replica") as database:
        assert Bundles(database).manifests(new) == manifests("till:2")


async def test_a_large_bundle_comes_in_parts_and_as_a_patch_when_the_edge_holds_a_base(
    hub: Any, scripted: ScriptedHub, tmp_path: Path
) -> None:
    import random

    noise = [{"kind": "Secret", "data": random.Random(7).randbytes(600_000).hex()}]
    first = await scripted.bundles.put(noise)
    second = await scripted.bundles.put([*noise, {"kind": "ConfigMap"}])
    async with edge_over(hub, tmp_path / "replica") as edge:
        await scripted.release(TILL, first)
        await edge.next()
        await scripted.release(TILL, second)
        assert (await edge.next()).record.digest == second


async def test_a_clusters_settings_come_like_any_record_and_without_a_bundle(
    hub: Any, scripted: ScriptedHub, tmp_path: Path
) -> None:
    async with edge_over(hub, tmp_path / "replica") as edge:
        await in_step(edge, (1, 0))
        await scripted.release(subjects.SETTINGS, b"", spec={"timeZone": "Europe/Berlin"})
        held = await edge.next()
        assert (held.app, held.record.spec) == (subjects.SETTINGS, {"timeZone": "Europe/Berlin"})
        assert not held.record.is_tombstone
    async with edge_over(hub, tmp_path / "replica") as edge:
        assert edge.holdings.get(subjects.SETTINGS) is not None


async def test_a_bundle_that_somebody_asks_for_is_fetched_once_and_held(
    hub: Any, scripted: ScriptedHub, tmp_path: Path
) -> None:
    digest = await scripted.bundles.put(manifests("till:0"))
    async with edge_over(hub, tmp_path / "replica") as edge:
        await edge.inbound.obtain(digest)
        await edge.inbound.obtain(digest)
        with pytest.raises(LookupError, match="could not be fetched: the hub has no bundle"):
            await edge.inbound.obtain(b"x" * 32)
    with opened(tmp_path / "replica") as database:
        assert Bundles(database).manifests(digest) == manifests("till:0")


async def test_what_was_missed_while_away_comes_with_the_resync_in_as_many_answers_as_it_takes(
    hub: Any, scripted: ScriptedHub, tmp_path: Path
) -> None:
    digest = await scripted.bundles.put(manifests("till:1"))
    for n in range(5):
        await scripted.release(AppName(f"app{n}"), digest, deliver=False)
    async with edge_over(hub, tmp_path / "replica") as edge:
        assert {(await edge.next()).app for _ in range(5)} == {f"app{n}" for n in range(5)}
        await in_step(edge, (1, 5))
    async with edge_over(hub, tmp_path / "replica") as edge:
        await eventually(lambda: len(scripted.asked) >= 4)
        assert scripted.asked[-1].set_digest == edge.holdings.digest()
        assert scripted.asked[-1].counter == 5
        assert edge.accepted.empty()


async def test_a_message_that_was_lost_is_noticed_by_the_next_one(
    hub: Any, scripted: ScriptedHub, tmp_path: Path
) -> None:
    digest = await scripted.bundles.put(manifests("till:1"))
    async with edge_over(hub, tmp_path / "replica") as edge:
        await scripted.release(TILL, digest)
        await edge.next()
        await scripted.release(AppName("lost"), digest, deliver=False)
        await scripted.release(AppName("seen"), digest)
        assert {(await edge.next()).app for _ in range(2)} == {"lost", "seen"}
        await in_step(edge, (1, 3))


async def test_forged_foreign_and_replayed_records_are_counted_and_never_applied(
    hub: Any, scripted: ScriptedHub, tmp_path: Path
) -> None:
    digest = await scripted.bundles.put(manifests("till:1"))
    async with edge_over(hub, tmp_path / "replica") as edge:
        await in_step(edge, (1, 0))
        old = await scripted.release(TILL, digest)
        await edge.next()
        await scripted.release(TILL, digest)
        await edge.next()
        record = Desired(b"u" * 16, 1, 99, {}, b"r" * 20, digest)
        await scripted.send(TILL, old)
        await scripted.send(TILL, scripted.seal(TILL, record, cluster="shop2"))
        await scripted.send(TILL, scripted.seal(AppName("other"), record))
        await scripted.send(TILL, signatures.seal(signatures.generate_seed(), SHOP1, TILL, record.pack()))
        await scripted.send(TILL, signatures.seal(SEED, SHOP1, TILL, codec.canonical([9, "later"])))
        await scripted.send(TILL, b"\xff" * 300)
        await scripted.release(AppName("after"), digest)
        assert (await edge.next()).app == "after"
        assert edge.inbound.rejections.counts == {
            "desired outdated": 1,
            "desired ForgedRecord": 4,
            "desired UnknownVersion": 1,
        }
        assert edge.holdings.generations()[TILL] == (1, 2)


@pytest.mark.parametrize("counter", [2, 1])
async def test_a_number_that_comes_again_for_something_else_makes_the_edge_say_what_it_holds(
    hub: Any, scripted: ScriptedHub, tmp_path: Path, counter: int
) -> None:
    digest = await scripted.bundles.put(manifests("till:1"))
    async with edge_over(hub, tmp_path / "replica") as edge:
        await in_step(edge, (1, 0))
        await scripted.release(TILL, digest)
        # The stream never had this one: its registry died.
        sent = await scripted.release(TILL, digest)
        await edge.next()
        await eventually(lambda: edge.holdings.complete == (1, 2))
        asked = len(scripted.asked)
        # Delivered twice, it is no news.
        await scripted.send(TILL, sent)
        again = Desired(b"u" * 16, 1, counter, {}, b"another revision    ", digest)
        await scripted.send(TILL, scripted.seal(TILL, again))
        await eventually(lambda: len(scripted.asked) > asked)
        request = scripted.asked[asked]
        assert (request.highest_epoch, request.highest_counter) == (1, 2)
        assert request.set_digest == edge.holdings.digest()
        assert len(scripted.asked) == asked + 1


async def test_an_application_that_was_removed_is_not_brought_back_by_replaying_its_record(
    hub: Any, scripted: ScriptedHub, tmp_path: Path
) -> None:
    digest = await scripted.bundles.put(manifests("till:1"))
    async with edge_over(hub, tmp_path / "replica") as edge:
        await in_step(edge, (1, 0))
        first = await scripted.release(TILL, digest)
        await edge.next()
        await scripted.release(TILL, None, cascade=True)
        gone = await edge.next()
        assert gone.record.is_tombstone
        edge.holdings.forget(TILL, gone.generation)
        await scripted.send(TILL, first)
        await scripted.release(AppName("after"), digest)
        assert (await edge.next()).app == "after"
        assert TILL not in edge.holdings.generations()


async def test_a_bundle_that_the_hub_lacks_holds_back_its_own_application_only(
    hub: Any, scripted: ScriptedHub, tmp_path: Path
) -> None:
    digest = await scripted.bundles.put(manifests("till:1"))
    missing = codec.canonical(manifests("late:1"))
    async with edge_over(hub, tmp_path / "replica") as edge:
        await in_step(edge, (1, 0))
        await scripted.release(AppName("late"), delta.digest(missing))
        await scripted.release(TILL, digest)
        assert (await edge.next()).app == TILL
        assert edge.holdings.complete == (1, 0)
        await scripted.bundles.put(manifests("late:1"))
        assert (await edge.next()).app == "late"
        await in_step(edge, (1, 2))
