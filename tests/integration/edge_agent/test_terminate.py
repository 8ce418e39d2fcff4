"""Syncs that somebody terminates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge_agent.applications import (
    MemoryProgress,
    RequestRefused,
    Selector,
    Settings,
    Terminate,
)

from .asking import (
    NEVER,
    ONE,
    STUCK,
    waits_for_health,
)
from .site import (
    CONFIG_MAP,
    Agent,
    Site,
    config_map,
    failed,
    results,
    running,
)
from .test_hooks import JOB, job

if TYPE_CHECKING:
    from outrider_playground.kubernetes import SimulatedCluster


async def test_a_terminated_sync_ends_as_failed_and_is_not_tried_again(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [STUCK, config_map("a")])
    await agent.until(app, waits_for_health)
    agent.applications.request(app, Terminate("jo"))
    document = await agent.until(app, failed)
    assert document["operationState"]["message"] == "terminated by jo"
    assert results(document)["stuck"] == ("Synced", "created")
    await agent.settle(app)
    assert agent.timers() == []
    assert await site.get(CONFIG_MAP, "a") is None
    agent.desire(app, [config_map("a")])
    await agent.until_synced(app)


async def test_a_termination_survives_the_agent(site: Site, settings: Settings, app: str) -> None:
    store = MemoryProgress()
    async with running(site, settings, store) as agent:
        agent.desire(app, [STUCK, config_map("a")])
        await agent.until(app, waits_for_health)
        agent.applications.request(app, Terminate("jo"))
        await agent.until(app, failed)
    async with running(site, settings, store) as agent:
        agent.desire(app, [STUCK, config_map("a")])
        document = await agent.until(app, lambda document: document["sync"]["revision"] == "r1")
        await agent.settle(app)
        document = agent.applications.document(app) or {}
        assert document["operationState"]["message"] == "terminated by jo"
        assert document["sync"]["status"] == "OutOfSync"
        agent.ask(app, resources=(Selector("", "ConfigMap", "a"),))
        await site.until(CONFIG_MAP, "a", lambda live: live is not None)


async def test_a_termination_that_a_crash_cut_off_is_carried_out(
    site: Site, settings: Settings, app: str
) -> None:
    store = MemoryProgress()
    async with running(site, settings, store) as agent:
        agent.desire(app, [STUCK, config_map("a")])
        await agent.until(app, waits_for_health)
        await agent.settle(app)
    # What is written down of a request before anything is done for it.
    store.values[app] = {**store.values[app], "ending": "terminated by jo"}
    async with running(site, settings, store) as agent:
        agent.desire(app, [STUCK, config_map("a")])
        document = await agent.until(app, failed)
        assert document["operationState"]["message"] == "terminated by jo"
        await agent.settle(app)
        assert store.values[app]["ending"] == ""


async def test_a_terminated_sync_stops_its_hooks(agent: Agent, site: Site, app: str) -> None:
    migration = job("migrate", "PreSync")
    migration["spec"]["suspend"] = True
    agent.desire(app, [migration, config_map("a")])
    await agent.until(
        app, lambda document: "hook Job migrate" in document.get("operationState", {}).get("message", "")
    )
    agent.applications.request(app, Terminate("jo"))
    document = await agent.until(app, failed)
    assert document["operationState"]["message"] == "terminated by jo"
    await site.until(JOB, "migrate", lambda live: live is None)
    await agent.settle(app)
    assert await site.get(CONFIG_MAP, "a") is None


async def test_retries_of_a_failed_sync_can_be_terminated(
    agent: Agent, app: str, simulated: SimulatedCluster
) -> None:
    rule = simulated.faults.forbid("patch", "configmaps")
    agent.desire(app, ONE, sync={"automated": {}, "retry": NEVER})
    await agent.until(app, failed)
    await agent.settle(app)
    agent.applications.request(app, Terminate("jo"))
    document = await agent.until(app, lambda document: "terminated" in document["operationState"]["message"])
    assert results(document)["a"][0] == "SyncFailed"
    simulated.faults.remove(rule)
    await agent.settle(app)
    assert agent.timers() == []
    with pytest.raises(RequestRefused, match=r"no sync of .* is under way"):
        agent.applications.request(app, Terminate("jo"))
