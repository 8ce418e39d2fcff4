"""Rows 4 and 6, on one node: a process of the hub that is killed, and the whole hub gone and back."""

import asyncio
import os
import random
import signal

import pytest
from tests.e2e.faults.agreement import agree
from tests.e2e.faults.processes import pids_of
from tests.e2e.faults.shop import bump, bumped, is_mended, runs, tell, vandalise

from outrider_playground.demo.fleet import OneNodeFleet
from outrider_playground.waiting import eventually

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("healed")]


@pytest.mark.parametrize("name", ["app_registry", "repo_renderer", "status_aggregator", "nats-server"])
async def test_a_process_of_the_hub_that_is_killed_is_started_again_and_nothing_is_lost(
    fleet: OneNodeFleet, name: str
) -> None:
    await agree(fleet)
    dice = random.Random(name)
    before = await asyncio.to_thread(pids_of, name, fleet.folder)
    assert before
    await bump(fleet)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(tell(fleet), name="tell")
        # The instant is the point: while the commit is fetched, rendered, published, applied or told.
        await asyncio.sleep(dice.uniform(0, 0.5))
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        vandalise(fleet.edges[0])
    await agree(fleet)
    assert not set(await asyncio.to_thread(pids_of, name, fleet.folder)) & set(before)


async def test_the_whole_hub_gone_and_back_finds_its_fleet_as_it_is(fleet: OneNodeFleet) -> None:
    await agree(fleet)
    await fleet.hub.child.stop()
    for edge in fleet.edges:
        vandalise(edge)
        await is_mended(edge)
    tag = await bump(fleet)
    await fleet.edges[0].agent.kill()
    await fleet.edges[0].agent.start()
    await fleet.hub.child.start()
    await runs(tag, *fleet.edges, within_s=120)
    await agree(fleet)


async def test_the_whole_hub_killed_at_once_comes_back_with_what_it_acknowledged(fleet: OneNodeFleet) -> None:
    tag = await bumped(fleet)
    pids = [pid for name in ("outrider_cli", "nats-server") for pid in pids_of(name, fleet.folder)]
    await fleet.hub.child.kill()
    for pid in pids:
        if pid in pids_of("nats-server", fleet.folder):
            os.kill(pid, signal.SIGKILL)
    await eventually(lambda: not pids_of("nats-server", fleet.folder))
    await fleet.hub.child.start()
    await runs(tag, *fleet.edges)
    await agree(fleet)
