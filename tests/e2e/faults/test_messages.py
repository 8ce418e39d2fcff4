"""Row 7: messages that are duplicate, reordered, delayed, truncated, oversized or forged are ignored and told of; the stream goes on."""

import os
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.e2e.faults.agreement import Wanted, agree, demo_applications
from tests.e2e.faults.bus_side import Images, forged, intruder, opened, settled
from tests.e2e.faults.conftest import log_of
from tests.e2e.faults.shop import apply, bumped, delete, gone, runs, shown

from outrider.messages import Desired
from outrider_playground.demo.edge import Edge
from outrider_playground.demo.fleet import OneNodeFleet
from outrider_playground.waiting import eventually

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("healed")]

PAYLOAD_MAX_BYTES = (1 << 20) - 1024
SHOP_OF_AGAIN = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "shop", "namespace": "again"},
}


def ignored(edge: Edge) -> int:
    """How many kinds of messages the agent has said that it ignores."""
    return log_of(edge.folder, edge.name).count("message ignored")


async def goes_on(fleet: OneNodeFleet, images: Images) -> None:
    """The next commit arrives, nothing else ever ran, and all sides agree."""
    before = images.seen[-1] if images.seen else ""
    tag = await bumped(fleet)
    await runs(tag, *fleet.edges)
    await agree(fleet)
    images.stop()
    assert images.seen[-1].endswith(f":{tag}")
    assert len(images.seen) <= 1 + bool(before)


Make = Callable[[Edge, str, bytes], bytes]


def evil(edge: Edge, app: str, record: bytes) -> bytes:
    """The newest record with the next number, as an empty application, signed by nobody we know."""
    desired = opened(record)
    return forged(edge, app, replace(desired, counter=desired.counter + 1, digest=b"e" * 32))


def tombstone(edge: Edge, app: str, record: bytes) -> bytes:
    """The end of the application, signed by nobody we know."""
    desired = opened(record)
    return forged(edge, app, Desired(desired.uid, desired.epoch + 1, 1, {}, cascade=True))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(evil, id="signed by another hub's key"),
        pytest.param(tombstone, id="a forged end"),
        pytest.param(lambda edge, app, record: record[:-7], id="truncated"),
        pytest.param(lambda edge, app, record: record[:40], id="shorter than a signature"),
        pytest.param(lambda edge, app, record: b"", id="empty"),
        pytest.param(lambda edge, app, record: os.urandom(PAYLOAD_MAX_BYTES), id="as large as can be"),
        pytest.param(lambda edge, app, record: record[:64] + os.urandom(500), id="another body"),
    ],
)
async def test_what_the_hub_did_not_sign_is_never_applied(fleet: OneNodeFleet, make: Make) -> None:
    edge = fleet.edges[0]
    app = f"shop-{edge.name}"
    await agree(fleet)
    images = Images(edge, "shop")
    async with intruder(fleet) as intruding:
        await intruding.tell(edge, app, make(edge, app, await intruding.record(edge, app)))
    await settled(fleet)
    assert images.seen == []
    assert ignored(edge)
    await goes_on(fleet, images)


async def test_a_record_of_another_cluster_is_ignored_here(fleet: OneNodeFleet) -> None:
    edge, other = fleet.edges
    await agree(fleet)
    images = Images(edge, "shop")
    async with intruder(fleet) as intruding:
        record = await intruding.record(other, f"shop-{other.name}")
        await intruding.tell(edge, f"shop-{other.name}", record)
        await intruding.tell(edge, f"shop-{edge.name}", record)
    await settled(fleet)
    await goes_on(fleet, images)


async def test_a_record_of_the_past_is_ignored_however_true_it_was(fleet: OneNodeFleet) -> None:
    edge = fleet.edges[0]
    app = f"shop-{edge.name}"
    async with intruder(fleet) as intruding:
        past = [await intruding.record(edge, app)]
        for _ in range(2):
            tag = await bumped(fleet)
            await runs(tag, *fleet.edges)
            past.append(await intruding.record(edge, app))
        await agree(fleet)
        images = Images(edge, "shop")
        # Delayed and reordered: the oldest, the newest, the one between, the oldest again.
        await intruding.tell(edge, app, past[0], past[2], past[1], past[0])
        await settled(fleet)
    assert images.seen == []
    await goes_on(fleet, images)


async def test_a_record_that_comes_many_times_counts_once(fleet: OneNodeFleet) -> None:
    edge = fleet.edges[0]
    app = f"shop-{edge.name}"
    await agree(fleet)
    accepted = log_of(edge.folder, edge.name).count("desired accepted")
    async with intruder(fleet) as intruding:
        record = await intruding.record(edge, app)
        await intruding.tell(edge, app, *[record] * 20)
    await settled(fleet)
    # The hub saw what it had not sent itself, and may have said it once more under its next number.
    await agree(fleet)
    assert log_of(edge.folder, edge.name).count("desired accepted") <= accepted + 1


async def test_the_end_of_an_application_that_is_made_again_is_not_replayed(fleet: OneNodeFleet) -> None:
    """The tombstone of the first must not end the second, though it was true."""
    edge = fleet.edges[1]
    wanted = {**demo_applications(fleet), "again": Wanted(edge.name, "shop")}
    await apply(fleet, "again", edge, "shop")
    await shown(fleet, "again", health="Healthy", delivered=True)
    await edge.agent.kill()
    await delete(fleet.hub, "again")
    async with intruder(fleet) as intruding:

        async def ends() -> bool:
            return opened(await intruding.record(edge, "again")).is_tombstone

        await eventually(ends)
        end = await intruding.record(edge, "again")
        await edge.agent.start()
        await gone(fleet, "again")
        await apply(fleet, "again", edge, "shop")
        await agree(fleet, wanted)
        uid = edge.cluster.read(SHOP_OF_AGAIN)["metadata"]["uid"]
        await intruding.tell(edge, "again", end)
        await settled(fleet)
    await agree(fleet, wanted)
    assert edge.cluster.read(SHOP_OF_AGAIN)["metadata"]["uid"] == uid
    await delete(fleet.hub, "again")
    await gone(fleet, "again")
    await agree(fleet)
