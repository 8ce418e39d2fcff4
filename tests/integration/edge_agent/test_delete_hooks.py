"""The end of an application: its hooks, what stays, what waits for a person."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from edge_agent.applications import Approve, MemoryProgress, Settings

from .site import CONFIG_MAP, DEPLOYMENT, Agent, Site, conditions, config_map, deployment, finished, running
from .test_hooks import BAD, JOB, job

if TYPE_CHECKING:
    from outrider_playground.kubernetes import SimulatedCluster

QUICK = {"automated": {"prune": True}, "retry": {"backoff": {"duration": "10ms", "maxDuration": "20ms"}}}


async def test_pre_delete_hooks_run_before_anything_goes_and_post_delete_hooks_after(
    agent: Agent, site: Site, app: str
) -> None:
    last = job("farewell", "PreDelete", hook_delete_policy="HookFailed")
    agent.desire(app, [config_map("a"), last, job("goodbye-", "PostDelete", generated=True)])
    await agent.until_synced(app)
    assert await site.get(JOB, "farewell") is None
    agent.remove(app, cascade=True)
    await agent.until_removed(app)
    assert await site.get(CONFIG_MAP, "a") is None
    # It did its work and says itself that it stays; the other one is cleaned up.
    assert await site.get(JOB, "farewell")


async def test_a_pre_delete_hook_that_fails_blocks_the_removal_and_is_tried_again(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [config_map("a"), job("farewell", "PreDelete", BAD)], sync=QUICK)
    await agent.until_synced(app)
    agent.remove(app, cascade=True)
    first = await site.until(JOB, "farewell", lambda live: live is not None)
    document = await agent.until(app, lambda document: "DeletionError" in conditions(document))
    assert "PreDelete hook Job.batch" in conditions(document)["DeletionError"]
    assert first
    await site.until(
        JOB, "farewell", lambda live: live and live["metadata"]["uid"] != first["metadata"]["uid"]
    )
    assert await site.get(CONFIG_MAP, "a")
    assert agent.removed == []


async def test_an_application_that_does_not_cascade_runs_no_hook(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a"), job("farewell", "PreDelete")])
    await agent.until_synced(app)
    agent.remove(app, cascade=False)
    await agent.until_removed(app)
    assert await site.get(JOB, "farewell") is None
    assert await site.get(CONFIG_MAP, "a")


async def test_what_hooks_of_a_sync_left_behind_goes_with_the_application(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [config_map("a"), job("check", "PreSync")])
    await agent.until(app, finished)
    assert await site.get(JOB, "check")
    agent.remove(app, cascade=True)
    await agent.until_removed(app)
    assert await site.get(JOB, "check") is None


async def test_the_end_of_an_application_survives_the_agent_without_its_bundle(
    site: Site, settings: Settings, app: str
) -> None:
    """What the replica holds of it by then is the tombstone alone."""
    store = MemoryProgress()
    manifests = [
        config_map("a"),
        deployment("web"),
        job("pre", "PreDelete"),
        job("post-", "PostDelete", generated=True),
    ]
    async with running(site, settings, store) as agent:
        agent.desire(app, manifests)
        await agent.until_synced(app)
    seen: set[str] = set()
    for life in range(400):
        async with running(site, settings, store) as agent:
            agent._generation = 1
            agent.remove(app, cascade=True)
            for _ in range(life * 7):
                await asyncio.sleep(0)
            live = await site.get(JOB, "pre")
            seen |= {live["metadata"]["uid"]} if live else set()
            if agent.removed:
                break
    assert agent.removed
    assert len(seen) == 1
    assert await site.get(DEPLOYMENT, "web") is None


async def test_an_object_whose_deletion_must_be_confirmed_holds_the_removal(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [config_map("a"), config_map("dear", sync_options="Delete=confirm")])
    await agent.until_synced(app)
    agent.remove(app, cascade=True)
    document = await agent.until(app, lambda document: "DeletionError" in conditions(document))
    assert "approval to delete" in conditions(document)["DeletionError"]
    assert await site.get(CONFIG_MAP, "a")
    agent.applications.request(app, Approve())
    await agent.until_removed(app)
    assert await site.get(CONFIG_MAP, "dear") is None


async def test_pruning_that_must_be_confirmed_holds_the_sync(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a"), config_map("dear", sync_options="Prune=confirm")])
    await agent.until_synced(app)
    agent.desire(app, [config_map("a")])
    document = await agent.until(
        app, lambda document: "approval" in document.get("operationState", {}).get("message", "")
    )
    assert document["operationState"]["phase"] == "Running"
    assert await site.get(CONFIG_MAP, "dear")
    agent.applications.request(app, Approve())
    await site.until(CONFIG_MAP, "dear", lambda live: live is None)
    await agent.until_synced(app)


async def test_background_deletion_leaves_children_to_the_collector(
    agent: Agent, site: Site, app: str, simulated: SimulatedCluster
) -> None:
    agent.desire(app, [deployment("web")])
    await agent.until_synced(app)
    agent._generation += 1
    agent.applications.remove(
        app, "uid", cascade=True, generation=(1, agent._generation), propagation="background"
    )
    await agent.until_removed(app)
    assert await site.get(DEPLOYMENT, "web") is None
