"""Rows 3 and 10: a replica that is damaged or lost, ends that meet restarts and losses, and a cluster that never returns."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.faults.agreement import Wanted, agree, demo_applications
from tests.e2e.faults.chaos.people import application
from tests.e2e.faults.shop import apply, bumped, delete, gone, runs, shown

from outrider import subjects
from outrider.bus.services import ask
from outrider_playground.demo.edge import Edge
from outrider_playground.demo.fleet import OneNodeFleet

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("healed")]


def files_of(edge: Edge) -> list[Path]:
    return sorted(edge.replica.parent.glob(f"{edge.replica.name}*"))


def uid_of_shop(edge: Edge) -> str:
    found = edge.cluster.get("Deployment", "shop", "shop", "apps/v1")
    assert found is not None
    return str(found["metadata"]["uid"])


async def lose_replica(edge: Edge) -> None:
    for file in files_of(edge):
        await asyncio.to_thread(file.unlink)


async def damage_replica(edge: Edge) -> None:
    """Flip a bit in every page, of the file and of its log."""
    dice = random.Random(7)
    for file in files_of(edge):
        data = bytearray(await asyncio.to_thread(file.read_bytes))
        for page in range(0, len(data), 4096):
            data[min(page + dice.randrange(4096), len(data) - 1)] ^= 1 << dice.randrange(8)
        await asyncio.to_thread(file.write_bytes, bytes(data))


async def conditions(fleet: OneNodeFleet, edge: Edge) -> list[str]:
    found: Any = await ask(fleet.hub.connection, subjects.status_query("cluster"), {"name": edge.name})
    return [one["type"] for one in found["about"]["conditions"]]


@pytest.mark.parametrize("happens", [damage_replica, lose_replica], ids=["damaged", "lost"])
async def test_without_its_replica_an_agent_asks_for_it_and_what_runs_stays(
    fleet: OneNodeFleet, happens: Any
) -> None:
    edge = fleet.edges[0]
    await agree(fleet)
    uid = uid_of_shop(edge)
    await edge.agent.kill()
    await happens(edge)
    await edge.link.cut()
    await edge.agent.start()
    tag = await bumped(fleet)
    await edge.link.restore()
    await runs(tag, *fleet.edges)
    await agree(fleet)
    assert uid_of_shop(edge) == uid
    if happens is damage_replica:
        assert "ReplicaRebuilt" in await conditions(fleet, edge)


async def test_what_is_deleted_while_its_edge_has_lost_its_replica_leaves_nothing_behind(
    fleet: OneNodeFleet,
) -> None:
    edge = fleet.edges[0]
    await apply(fleet, "lost", edge, "shop")
    await shown(fleet, "lost", health="Healthy", delivered=True)
    await edge.agent.kill()
    await lose_replica(edge)
    await delete(fleet.hub, "lost")
    await edge.agent.start()
    await gone(fleet, "lost")
    assert not edge.image("lost", "shop")
    await agree(fleet)


async def test_an_end_that_meets_a_restart_of_both_sides_is_carried_out(fleet: OneNodeFleet) -> None:
    dice = random.Random(11)
    edge = fleet.edges[1]
    for _ in range(3):
        await apply(fleet, "twice", edge, "shop")
        await shown(fleet, "twice", health="Healthy", delivered=True)
        await delete(fleet.hub, "twice")
        # Anywhere between the record that says so and the last word of it.
        await asyncio.sleep(dice.uniform(0, 0.4))
        await edge.agent.kill()
        await fleet.hub.child.kill()
        await fleet.hub.child.start()
        await edge.agent.start()
        await gone(fleet, "twice")
        assert not edge.image("twice", "shop")
    await agree(fleet)


async def test_an_application_deleted_and_made_again_while_its_edge_is_away_is_another_one(
    fleet: OneNodeFleet,
) -> None:
    edge = fleet.edges[0]
    await apply(fleet, "again", edge, "shop")
    await shown(fleet, "again", health="Healthy", delivered=True)
    await edge.link.cut()
    await delete(fleet.hub, "again")
    made = asyncio.create_task(_made_again(fleet, edge), name="made again")
    await edge.link.restore()
    await made
    await agree(fleet, {**demo_applications(fleet), "again": Wanted(edge.name, "till")})
    assert not edge.image("again", "shop")
    await delete(fleet.hub, "again")
    await gone(fleet, "again")
    await agree(fleet)


async def _made_again(fleet: OneNodeFleet, edge: Edge) -> None:
    await gone(fleet, "again")
    await apply(fleet, "again", edge, "till")


async def test_a_cluster_that_never_returns_is_given_up_and_nothing_hangs(fleet: OneNodeFleet) -> None:
    credentials = fleet.folder / "sunk.creds"
    await fleet.hub.outrider("cluster", "add", "sunk", "--credentials-only", "--out", str(credentials))
    wreck = application("wreck", "sunk", "shop", fleet.repository.url)
    await ask(fleet.hub.connection, subjects.registry("app.apply"), {"manifest": wreck})
    await fleet.hub.outrider("cluster", "drain", "sunk", "--yes")
    await shown(fleet, "wreck", cluster="sunk", delivered=False)
    said = await fleet.hub.outrider("cluster", "remove", "sunk", "--lost")
    assert "wreck" in str(said)
    await delete(fleet.hub, "wreck")
    await gone(fleet, "wreck")
    await agree(fleet)
