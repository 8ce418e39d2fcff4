"""Rows 4 and 5, on three nodes: a node is lost, the leader of a stream, a disk; a service, and the other one takes over."""

import asyncio
import random
import shutil
from pathlib import Path

import pytest
from tests.e2e.faults.agreement import agree
from tests.e2e.faults.conftest import log_of
from tests.e2e.faults.shop import bump, bumped, is_mended, runs, shown, tell, vandalise

from outrider.bus import BusError, Connection, connected
from outrider.bus.follow import follow
from outrider.bus.jetstream import JetStream
from outrider.topology import HUB
from outrider_playground.demo.fleet import ThreeNodeFleet
from outrider_playground.demo.nodes import Node
from outrider_playground.demo.three_nodes import ThreeNodeHub
from outrider_playground.waiting import eventually

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("healed")]

STREAMS = [
    *(stream.name for stream in HUB.streams),
    *(bucket.stream for bucket in HUB.buckets),
    *(store.stream for store in HUB.object_stores),
]


async def whole(hub: ThreeNodeHub) -> None:
    """Wait until every node serves and every stream has a leader and two replicas that are as far as it is."""

    async def is_whole() -> bool:
        try:
            found = await hub.led()
        except OSError:
            return False
        return set(STREAMS) <= found.keys() and all(
            sum(one["current"] for one in found[name]["cluster"].get("replicas", ())) == 2 for name in STREAMS
        )

    await eventually(is_whole, 90)


async def test_every_stream_has_three_replicas(fleet_of_three: ThreeNodeFleet) -> None:
    await whole(fleet_of_three.hub)
    found = await fleet_of_three.hub.led()
    assert {name: found[name]["config"]["num_replicas"] for name in STREAMS} == dict.fromkeys(STREAMS, 3)
    await agree(fleet_of_three)


@pytest.mark.parametrize(
    "number", [1, pytest.param(2, marks=pytest.mark.chaos), pytest.param(3, marks=pytest.mark.chaos)]
)
async def test_the_loss_of_any_node_is_survived(fleet_of_three: ThreeNodeFleet, number: int) -> None:
    fleet, node = fleet_of_three, fleet_of_three.hub.nodes[number - 1]
    tag = await bump(fleet)
    await node.child.kill()
    await tell(fleet)
    vandalise(fleet.edges[0])
    await runs(tag, *fleet.edges, within_s=120)
    await is_mended(fleet.edges[0])
    # With one node missing.
    await agree(fleet)
    await node.child.start()
    await whole(fleet.hub)
    await agree(fleet)


class Publisher:
    """Publishes numbered events one after the other and notes those that were acknowledged."""

    def __init__(self, connection: Connection) -> None:
        self._js = JetStream(connection, timeout_s=2)
        self.acknowledged: list[int] = []

    async def run(self, count: int) -> None:
        """Go on until so many were acknowledged, however long there is no leader."""
        number = 0
        while len(self.acknowledged) < count:
            number += 1
            try:
                await self._js.publish("events.test._.number", str(number).encode())
            except BusError:
                await self._js.connection.pause()
            else:
                self.acknowledged.append(number)


async def test_no_acknowledged_message_is_lost_with_the_leader_of_its_stream(
    fleet_of_three: ThreeNodeFleet,
) -> None:
    hub = fleet_of_three.hub
    dice = random.Random(5)
    await whole(hub)
    async with connected(hub.settings("aggregator"), alone=True) as writer:
        publisher = Publisher(writer)
        async with asyncio.TaskGroup() as tasks:
            publishing = tasks.create_task(publisher.run(300), name="publish")
            # In the middle of it.
            await eventually(lambda: len(publisher.acknowledged) > dice.randint(50, 150), 60)
            leader = await hub.leader("EVENTS")
            await leader.child.kill()
            await publishing
        await leader.child.start()
        await whole(hub)
    assert set(publisher.acknowledged) <= await numbers(hub)
    await agree(fleet_of_three)


async def numbers(hub: ThreeNodeHub) -> set[int]:
    """Return the numbered events that the stream holds."""
    found = set[int]()
    async with connected(hub.settings("person"), alone=True) as reader, asyncio.timeout(60):
        async for batch in follow(JetStream(reader), "EVENTS", "events.test._.number"):
            found |= {int(stored.data) for stored in batch.messages}
            if batch.caught_up:
                break
    return found


async def test_the_loss_of_the_node_that_leads_what_edges_are_told_loses_no_record(
    fleet_of_three: ThreeNodeFleet,
) -> None:
    fleet = fleet_of_three
    await whole(fleet.hub)
    leader = await fleet.hub.leader("DESIRED")
    tag = await bump(fleet)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(tell(fleet), name="tell")
        # While records are published.
        await asyncio.sleep(0.2)
        await leader.child.kill()
    await runs(tag, *fleet.edges, within_s=120)
    await leader.child.start()
    await whole(fleet.hub)
    await agree(fleet)


async def test_a_node_whose_disk_was_lost_catches_up_and_another_may_be_lost_then(
    fleet_of_three: ThreeNodeFleet,
) -> None:
    fleet = fleet_of_three
    first, second = fleet.hub.nodes[0], fleet.hub.nodes[1]
    await whole(fleet.hub)
    await first.child.kill()
    await asyncio.to_thread(shutil.rmtree, data_of(first, fleet.folder))
    await first.child.start()
    await whole(fleet.hub)
    await second.child.kill()
    tag = await bumped(fleet)
    await runs(tag, *fleet.edges, within_s=120)
    await second.child.start()
    await whole(fleet.hub)
    await agree(fleet)


TERM = '"this replica works from here on"'
# What a service says when it takes up the lease.


def data_of(node: Node, folder: Path) -> Path:
    return folder / "logs" / "nodes" / node.name / "data"


@pytest.mark.parametrize("kind", ["registry", "aggregator", "renderer"])
async def test_a_service_that_is_killed_has_its_work_taken_over_by_the_other_one(
    fleet_of_three: ThreeNodeFleet, kind: str
) -> None:
    fleet = fleet_of_three
    await agree(fleet)
    # Both in turn: one of them holds the lease.
    for number in (1, 2):
        child = fleet.hub.services[f"{kind}-{number}"]
        await bump(fleet)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(tell(fleet), name="tell")
            await asyncio.sleep(0.2)
            await child.kill()
        await agree(fleet)
        if kind != "renderer":
            # Until then the one that was killed would take it back.
            other = f"{kind}-{3 - number}"
            await eventually(lambda o=other: TERM in log_of(fleet.folder / "logs", o), 30)  # type: ignore[misc]
        await child.start()
    await agree(fleet)


@pytest.mark.chaos
async def test_agents_of_a_lost_node_return_by_another_one(fleet_of_three: ThreeNodeFleet) -> None:
    fleet = fleet_of_three
    for node in fleet.hub.nodes:
        await node.child.kill()
        for edge in fleet.edges:
            await shown(fleet, f"shop-{edge.name}", within_s=120, presence="online", freshness="fresh")
        await node.child.start()
        await whole(fleet.hub)
    await agree(fleet)
