"""An agent that ends at any instant, and the one that comes after it."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from edge_agent.applications import MemoryProgress, Settings

from .site import (
    CONFIG_MAP,
    PATIENCE_S,
    SERVICE,
    Site,
    conditions,
    config_map,
    deployment,
    failed,
    resources,
    results,
    running,
    synced,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from outrider_playground.kubernetes import SimulatedCluster

SERVICE_S = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "s"},
    "spec": {"ports": [{"port": 80, "protocol": "TCP"}]},
}


async def test_what_was_in_sync_costs_no_request_per_object_after_a_restart(
    site: Site, settings: Settings, app: str
) -> None:
    store = MemoryProgress()
    manifests = [config_map(f"c{number}") for number in range(30)]
    async with running(site, settings, store) as agent:
        agent.desire(app, manifests)
        before = await agent.until_synced(app)
        await agent.settle(app)
    async with running(site, settings, store) as agent:
        agent.desire(app, manifests)
        after = await agent.until_synced(app)
        await agent.settle(app)
        assert agent.cluster.requests < 10
    assert after == before


async def test_drift_of_the_meantime_is_healed(site: Site, settings: Settings, app: str) -> None:
    store = MemoryProgress()
    async with running(site, settings, store) as agent:
        agent.desire(app, [config_map("a"), config_map("b")])
        await agent.until_synced(app)
    await site.edit(CONFIG_MAP, "a", {"data": {"a": "edited"}})
    await site.delete(CONFIG_MAP, "b")
    async with running(site, settings, store) as agent:
        agent.desire(app, [config_map("a"), config_map("b")])
        await site.until(CONFIG_MAP, "a", lambda live: live and live["data"]["a"] == "1")
        assert await site.until(CONFIG_MAP, "b", lambda live: live is not None)


async def test_what_left_the_bundle_meanwhile_is_pruned(site: Site, settings: Settings, app: str) -> None:
    store = MemoryProgress()
    async with running(site, settings, store) as agent:
        agent.desire(app, [config_map("a"), SERVICE_S])
        await agent.until_synced(app)
    async with running(site, settings, store) as agent:
        agent._generation = 1
        agent.desire(app, [config_map("a")])
        await agent.until(app, lambda document: synced(document) and "s" not in resources(document))
    assert await site.get(SERVICE, "s") is None


async def test_without_any_memory_what_left_the_bundle_is_found_and_pruned(
    site: Site, settings: Settings, app: str
) -> None:
    async with running(site, settings) as agent:
        agent.desire(app, [config_map("a"), SERVICE_S])
        await agent.until_synced(app)
    async with running(site, settings) as agent:
        agent._generation = 1
        agent.desire(app, [config_map("a")])
        await site.until(SERVICE, "s", lambda live: live is None)
        await agent.until(app, lambda document: synced(document) and "s" not in resources(document))


async def test_without_any_memory_what_is_in_sync_is_left_as_it_is(
    site: Site, settings: Settings, app: str
) -> None:
    async with running(site, settings) as agent:
        agent.desire(app, [config_map("a"), deployment("web")])
        await agent.until_synced(app)
    before = await site.get(CONFIG_MAP, "a")
    async with running(site, settings) as agent:
        agent.desire(app, [config_map("a"), deployment("web")])
        document = await agent.until_synced(app)
        assert "operationState" not in document
    assert await site.get(CONFIG_MAP, "a") == before


async def test_a_failed_sync_stays_failed_and_is_tried_on(
    site: Site, settings: Settings, app: str, simulated: SimulatedCluster
) -> None:
    store = MemoryProgress()
    rule = simulated.faults.forbid("patch", "configmaps")
    retry = {"limit": -1, "backoff": {"duration": "30s", "maxDuration": "60s"}}
    async with running(site, settings, store) as agent:
        agent.desire(app, [config_map("a")], sync={"automated": {}, "retry": retry})
        await agent.until(app, failed)
    simulated.faults.remove(rule)
    async with running(site, settings, store) as agent:
        agent.desire(app, [config_map("a")], sync={"automated": {}, "retry": retry})
        document = await agent.until_synced(app)
        assert document["operationState"]["retryCount"] == 1


async def test_a_sync_that_somebody_asked_for_survives_the_agent(
    site: Site, settings: Settings, app: str, simulated: SimulatedCluster
) -> None:
    store = MemoryProgress()
    rule = simulated.faults.answer(503, "patch")
    async with running(site, settings, store) as agent:
        agent.desire(app, [config_map("a")], sync={})
        agent.ask(app, initiated_by="somebody")
        await agent.until(app, lambda document: document.get("operationState", {}).get("phase") == "Running")
    simulated.faults.remove(rule)
    async with running(site, settings, store) as agent:
        agent.desire(app, [config_map("a")], sync={})
        document = await agent.until_synced(app)
        assert results(document) == {"a": ("Synced", "created")}
        await agent.settle(app)
        before = await site.get(CONFIG_MAP, "a")
    async with running(site, settings, store) as agent:
        agent.desire(app, [config_map("a")], sync={})
        await agent.until_synced(app)
    assert await site.get(CONFIG_MAP, "a") == before


@pytest.mark.parametrize("seed", range(2))
async def test_an_agent_killed_again_and_again_ends_where_it_should(
    site: Site, settings: Settings, app: str, seed: int
) -> None:
    """Each life is given one step more of the event loop than the last, so that it ends at another instant."""
    chance = random.Random(seed)
    store = MemoryProgress()
    first = [*(config_map(f"c{number}") for number in range(8)), deployment("web"), SERVICE_S]
    second = [
        *(config_map(f"c{number}", {"v": "2"}) for number in range(4)),
        deployment("web", "shop/till:2"),
    ]
    for life in range(20):
        async with running(site, settings, store) as agent:
            agent._generation = life
            agent.desire(app, first if life < 10 else second)
            for _ in range(chance.randrange(life * 40 + 10)):
                await asyncio.sleep(0)
    async with running(site, settings, store) as agent, asyncio.timeout(PATIENCE_S):
        agent._generation = 100
        agent.desire(app, second)
        document = await agent.until(
            app, lambda document: synced(document) and len(document["resources"]) == 5
        )
        assert document["operationState"]["phase"] == "Succeeded"
    for number in range(8):
        live = await site.get(CONFIG_MAP, f"c{number}")
        assert (live["data"] if live else None) == ({"v": "2"} if number < 4 else None)
    assert await site.get(SERVICE, "s") is None


async def test_a_memory_that_cannot_be_read_is_as_good_as_none(
    site: Site, settings: Settings, app: str
) -> None:
    store = MemoryProgress()
    for value in ({"v": 99}, {"v": 1, "attempt": "?"}, {}):
        store.values[app] = value
        async with running(site, settings, store) as agent:
            agent.desire(app, [config_map("a")])
            await agent.until_synced(app)


class FullDisk(MemoryProgress):
    """Can't be written to."""

    def __init__(self) -> None:
        super().__init__()
        self.full = True

    async def put(
        self,
        app: str,
        value: dict[str, object],
        bundles: Collection[str] = (),
        core: Mapping[str, object] | None = None,
    ) -> None:
        if self.full:
            raise OSError("no space left on device")
        await super().put(app, value, bundles, core)


async def test_an_agent_that_can_write_nothing_down_goes_on_and_says_so(
    site: Site, settings: Settings, app: str
) -> None:
    store = FullDisk()
    async with running(site, settings, store) as agent:
        agent.desire(app, [config_map("a")])
        document = await agent.until_synced(app)
        assert "no space left" in conditions(document)["StorageError"]
        await site.edit(CONFIG_MAP, "a", {"data": {"a": "edited"}})
        await site.until(CONFIG_MAP, "a", lambda live: live and live["data"]["a"] == "1")
        store.full = False
        await site.edit(CONFIG_MAP, "a", {"data": {"a": "edited"}})
        await agent.until(app, lambda document: synced(document) and document["conditions"] == [])
