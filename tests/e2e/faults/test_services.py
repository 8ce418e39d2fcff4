"""Whole processes, killed at moments drawn from a seed while commits flow; in the end desired, live and hub agree."""

import asyncio
import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from outrider.bus import BusError
from outrider.bus.services import RequestRefused
from outrider_playground.demo.fleet import Fleet, OneNodeFleet
from outrider_playground.demo.story import SHOP
from outrider_playground.waiting import eventually

ROUNDS = 4


def healthy(item: dict[str, Any]) -> bool:
    return (item["health"], item["sync"], item["freshness"], item["delivered"]) == (
        "Healthy",
        "Synced",
        "fresh",
        True,
    )


async def settled(fleet: Fleet, tag: str, revision: str, within_s: float = 60) -> None:
    """Every edge runs the tag, and the hub says so: at this revision, healthy, fresh."""

    def agrees(known: dict[str, dict[str, Any]]) -> bool:
        return all(healthy(item) for item in known.values()) and all(
            known[f"shop-{edge.name}"]["revision"] == revision
            and edge.image("shop", "shop").endswith(f":{tag}")
            for edge in fleet.edges
        )

    await fleet.until(agrees, within_s)


async def deployed(fleet: Fleet) -> None:
    await fleet.until(lambda known: len(known) == 9 and all(healthy(item) for item in known.values()), 60)


async def next_tag(fleet: Fleet, n: int) -> tuple[str, str]:
    revision = await fleet.commit(SHOP, f":1.{n}", f":1.{n + 1}", f"Shop 1.{n + 1}")
    return f"1.{n + 1}", revision


async def test_an_agent_killed_at_any_instant_while_commits_flow_ends_in_step(fleet: Fleet) -> None:
    await deployed(fleet)
    dice = random.Random(20)
    edge = fleet.edges[0]
    tag, revision = "1.0", ""
    for n in range(ROUNDS):
        async with asyncio.TaskGroup() as tasks:
            committing = tasks.create_task(next_tag(fleet, n), name="commit")
            # The instant is the point of the test: anywhere between the announcement and the last status.
            await asyncio.sleep(dice.uniform(0, 0.6))
            await edge.agent.kill()
            await edge.agent.start()
        tag, revision = committing.result()
    await settled(fleet, tag, revision)


@pytest.mark.parametrize("name", ["app_registry", "repo_renderer", "status_aggregator", "nats-server"])
async def test_a_process_of_the_hub_that_is_killed_is_started_again_and_nothing_is_lost(
    fleet: Fleet, name: str
) -> None:
    await deployed(fleet)
    before = pids(fleet, name)
    committing = asyncio.create_task(commit_until_taken(fleet), name="commit")
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    revision = await committing
    await settled(fleet, "1.1", revision)
    assert not set(pids(fleet, name)) & set(before)


async def commit_until_taken(fleet: Fleet) -> str:
    """Commit, and tell the hub until it has heard: the service that would listen may be the one that was killed."""
    revision = await asyncio.to_thread(fleet.repository.replace, SHOP, ":1.0", ":1.1", "Shop 1.1")

    async def told() -> bool:
        try:
            await fleet.hub.refresh(fleet.repository.url)
        except (BusError, RequestRefused):
            return False
        return True

    await eventually(told, 40)
    return revision


def pids(fleet: Fleet, name: str) -> list[int]:
    """The hub's children whose command line holds `name`."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            line = (folder / "cmdline").read_bytes().decode(errors="replace")
            environment = (folder / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if name in line and str(fleet.folder) in line + environment:
            found.append(int(folder.name))
    return found


async def test_the_whole_hub_gone_and_back_finds_its_fleet_as_it_is(fleet: OneNodeFleet) -> None:
    await deployed(fleet)
    await fleet.hub.child.stop()
    edge = fleet.edges[1]
    menu = edge.cluster.get("ConfigMap", "menu", "shop")
    assert menu is not None
    edge.cluster.edit(menu, {"data": {"greeting": "Nobody looks"}}, "kubectl-edit")
    await eventually(lambda: edge.cluster.read(menu)["data"]["greeting"] == "Welcome")
    revision = await asyncio.to_thread(fleet.repository.replace, SHOP, ":1.0", ":1.1", "Shop 1.1")
    await fleet.hub.child.start()
    await settled(fleet, "1.1", revision, 90)


async def test_an_agent_that_starts_without_its_hub_runs_what_its_replica_holds(fleet: Fleet) -> None:
    await deployed(fleet)
    edge = fleet.edges[2]
    await edge.link.cut()
    await edge.agent.kill()
    deployment = edge.cluster.get("Deployment", "shop", "shop", "apps/v1")
    assert deployment is not None
    edge.cluster.delete(deployment)
    await eventually(lambda: not edge.image("shop", "shop"))
    await edge.agent.start()
    await eventually(lambda: edge.image("shop", "shop").endswith(":1.0"), 20)
    await edge.link.restore()
    await fleet.until(lambda known: all(healthy(item) for item in known.values()), 60)
