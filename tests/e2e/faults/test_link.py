"""Row 1: a link that is cut, flaps, hangs, is slow, thin or lossy; minutes here stand for weeks."""

import asyncio
import random
from collections.abc import Callable

import pytest
from tests.e2e.faults.agreement import Wanted, agree, demo_applications
from tests.e2e.faults.conftest import log_of
from tests.e2e.faults.journals import told
from tests.e2e.faults.shop import apply, bump, bumped, delete, gone, is_mended, runs, shown, tell, vandalise

from outrider_playground.demo import content
from outrider_playground.demo.edge import Edge
from outrider_playground.demo.fleet import OneNodeFleet
from outrider_playground.demo.uplink import Uplink
from outrider_playground.waiting import eventually
from outrider_playground.wan import Way

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("healed")]

THIN_BYTES_PER_S = 1200.0
# 9.6 kbit/s


def accepted(edge: Edge, app: str) -> int:
    """How many records of an application the agent has taken in."""
    lines = log_of(edge.folder, edge.name).splitlines()
    return sum('"desired accepted"' in line and f'"app": "{app}"' in line for line in lines)


async def test_during_an_outage_the_edge_goes_on_and_afterwards_only_the_newest_state_travels(
    fleet: OneNodeFleet,
) -> None:
    edge, other = fleet.edges
    await agree(fleet)
    before = accepted(edge, f"shop-{edge.name}")
    await edge.link.cut()
    await shown(fleet, f"shop-{edge.name}", presence="offline")
    for _ in range(5):
        tag = await bumped(fleet)
        await runs(tag, other)
    vandalise(edge)
    await is_mended(edge)
    await shown(fleet, f"shop-{edge.name}", presence="offline", delivered=False)
    await edge.link.restore()
    await runs(tag, edge)
    await agree(fleet)
    assert accepted(edge, f"shop-{edge.name}") == before + 1
    kinds = [entry["kind"] for entry in await told(fleet.hub, edge.name)]
    assert kinds.index("outage-ended") > kinds.index("outage-began")
    assert "drift" in kinds


async def test_what_was_made_and_deleted_during_an_outage_is_made_and_gone_on_return(
    fleet: OneNodeFleet,
) -> None:
    edge = fleet.edges[0]
    await asyncio.to_thread(
        fleet.repository.commit, {"kiosk/deployment.yaml": content.deployment("kiosk", "kiosk:1")}, "Kiosk"
    )
    await apply(fleet, "old", edge, "kiosk")
    await shown(fleet, "old", health="Healthy", delivered=True)
    await edge.link.cut()
    await delete(fleet.hub, "old")
    await apply(fleet, "new", edge, "kiosk")
    await apply(fleet, "never", edge, "kiosk")
    await delete(fleet.hub, "never")
    assert edge.image("old", "kiosk")
    await edge.link.restore()
    await agree(fleet, {**demo_applications(fleet), "new": Wanted(edge.name, "kiosk")})
    assert not edge.image("old", "kiosk")
    await delete(fleet.hub, "new")
    await gone(fleet, "new")
    await agree(fleet)


async def test_a_link_that_flaps_while_commits_flow_loses_nothing(fleet: OneNodeFleet) -> None:
    dice = random.Random(3)
    edge = fleet.edges[0]
    for _ in range(4):
        await bump(fleet)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(tell(fleet), name="tell")
            for _ in range(dice.randint(2, 6)):
                await edge.link.cut()
                # How long it is down, and up, is the fault.
                await asyncio.sleep(dice.uniform(0, 0.15))
                await edge.link.restore()
                await asyncio.sleep(dice.uniform(0, 0.4))
    await agree(fleet)


@pytest.mark.parametrize(
    "degrade",
    [
        pytest.param(lambda link: link.delay(0.6, 0.1), id="600 ms"),
        pytest.param(lambda link: link.stall(0.05, 1.0), id="5 % losses"),
        pytest.param(lambda link: link.throttle(THIN_BYTES_PER_S), id="9.6 kbit a second"),
    ],
)
async def test_over_a_bad_link_all_arrives(fleet: OneNodeFleet, degrade: Callable[[Uplink], None]) -> None:
    edge = fleet.edges[1]
    # The agent connects over the bad link too.
    await edge.link.cut()
    degrade(edge.link)
    await edge.link.restore()
    tag = await bumped(fleet)
    await runs(tag, edge)
    vandalise(edge)
    await is_mended(edge)
    await agree(fleet)
    edge.link.mend()


@pytest.mark.parametrize("way", [None, Way.UP, Way.DOWN], ids=["both ways", "up", "down"])
async def test_a_half_open_link_is_noticed_by_the_agents_pings(fleet: OneNodeFleet, way: Way | None) -> None:
    edge = fleet.edges[0]
    await agree(fleet)
    connections = edge.link.counters().connections
    await edge.link.black_hole(way)
    tag = await bumped(fleet)
    # It dials again, since nobody answers.
    await eventually(lambda: edge.link.counters().connections > connections, 30)
    assert way is Way.UP or not edge.image("shop", "shop").endswith(f":{tag}")
    await edge.link.restore()
    await runs(tag, edge)
    await agree(fleet)


async def test_acknowledgements_that_are_lost_double_nothing(fleet: OneNodeFleet) -> None:
    """The hub hears everything and is not heard: what it has is sent again, and counts once."""
    edge = fleet.edges[0]
    for _ in range(3):
        await edge.link.black_hole(Way.DOWN)
        vandalise(edge)
        await is_mended(edge)
        await edge.link.restore()
    await agree(fleet)
