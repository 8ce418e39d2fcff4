"""What was deployed before, and other revisions than the desired one."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from typing import TYPE_CHECKING

import pytest

from edge_agent.applications import (
    MemoryProgress,
    RequestRefused,
    Rollback,
    Settings,
    Terminate,
)

from .asking import (
    BY_HAND,
    ONE,
    STUCK,
    TWO,
    as_text,
    deployed,
    ids,
    is_about,
    phase,
    waits_for_health,
    was_deployed,
)
from .site import (
    CONFIG_MAP,
    DEPLOYMENT,
    PATIENCE_S,
    Agent,
    Site,
    config_map,
    deployment,
    digest_of,
    failed,
    finished,
    results,
    running,
    synced,
)
from .test_hooks import JOB, job

if TYPE_CHECKING:
    from outrider_playground.kubernetes import SimulatedCluster


async def test_a_rollback_brings_back_what_was_and_leaves_the_application_out_of_sync(
    agent: Agent, site: Site, app: str
) -> None:
    await deployed(agent, app, ONE, TWO)
    await site.until(CONFIG_MAP, "gone", lambda live: live is None)
    agent.applications.request(app, Rollback("1", 0, initiated_by="jo"))
    document = await agent.until(app, lambda document: ids(document) == [0, 1, 2])
    assert document["history"][-1]["revision"] == "r1"
    assert document["history"][-1]["digest"] == document["history"][0]["digest"]
    await agent.settle(app)
    live = await site.get(CONFIG_MAP, "a")
    assert live
    assert live["data"] == {"v": "1"}
    assert await site.get(CONFIG_MAP, "gone")
    document = agent.applications.document(app) or {}
    assert document["sync"] == {"status": "OutOfSync", "revision": "r2"}
    assert document["operationState"]["syncResult"]["revision"] == "r1"
    assert document["operationState"]["operation"]["sync"]["revision"] == "r1"


async def test_a_rollback_survives_the_agent_and_needs_no_hub(
    site: Site, settings: Settings, app: str, simulated: SimulatedCluster
) -> None:
    store, bundles = MemoryProgress(), dict[str, str]()
    async with running(site, settings, store, bundles=bundles) as agent:
        await deployed(agent, app, ONE, TWO)
        rule = simulated.faults.answer(503, "patch")
        agent.applications.request(app, Rollback("1"))
        async with asyncio.timeout(PATIENCE_S):
            while store.values[app]["request"] is None:  # noqa: ASYNC110 nothing tells it
                await asyncio.sleep(0)
    simulated.faults.remove(rule)
    async with running(site, settings, store, bundles=bundles) as agent:
        agent._generation = 1
        agent.desire(app, TWO, sync=BY_HAND)
        document = await agent.until(app, lambda document: ids(document) == [0, 1, 2])
        assert document["operationState"]["syncResult"]["revision"] == "r1"
        await site.until(CONFIG_MAP, "a", lambda live: live and live["data"] == {"v": "1"})


async def test_a_rollback_with_prune_takes_away_what_came_since(agent: Agent, site: Site, app: str) -> None:
    await deployed(agent, app, TWO, ONE)
    agent.applications.request(app, Rollback("1", prune=True))
    await agent.until(app, lambda document: ids(document) == [0, 1, 2])
    await site.until(CONFIG_MAP, "gone", lambda live: live is None)


async def test_a_rollback_to_a_bundle_that_is_not_held_is_refused_by_name(agent: Agent, app: str) -> None:
    await deployed(agent, app, ONE, TWO)
    del agent.bundles[digest_of(ONE)[:8].hex()]
    agent.applications.request(app, Rollback("1", 0))
    document = await agent.until(app, failed)
    assert document["operationState"]["message"] == (
        "the bundle of revision r1 is not held on this cluster any more"
    )
    agent.ask(app)
    await agent.until(app, lambda document: phase(document) == "Succeeded")


async def test_another_revision_is_fetched_and_synced(agent: Agent, site: Site, app: str) -> None:
    await deployed(agent, app, ONE)
    other = [config_map("a", {"v": "branch"})]
    agent.hub[digest_of(other)] = as_text(other)
    agent.ask(app, digest=digest_of(other), revision="branch-sha")
    document = await agent.until(app, lambda document: ids(document) == [0, 1])
    assert document["history"][-1]["revision"] == "branch-sha"
    live = await site.get(CONFIG_MAP, "a")
    assert live
    assert live["data"] == {"v": "branch"}
    assert digest_of(other)[:8].hex() in agent.store.bundles[app]


async def test_another_revision_that_cannot_be_had_fails_with_a_sentence(agent: Agent, app: str) -> None:
    await deployed(agent, app, ONE)
    agent.ask(app, digest=b"x" * 32, revision="branch-sha")
    document = await agent.until(app, failed)
    assert (
        "revision branch-sha can't be had: the hub does not have it" in document["operationState"]["message"]
    )
    assert document["sync"]["status"] == "Synced"


async def test_another_revision_may_be_run_dry_under_automated_sync(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, ONE)
    await agent.until_synced(app)
    await agent.settle(app)
    other = [config_map("a", {"v": "branch"}), config_map("b")]
    agent.hub[digest_of(other)] = as_text(other)
    agent.ask(app, digest=digest_of(other), revision="branch-sha", dry_run=True)
    document = await agent.until(
        app,
        lambda document: (
            finished(document) and document["operationState"]["syncResult"]["revision"] == "branch-sha"
        ),
    )
    assert results(document)["b"] == ("Synced", "would be applied (dry run)")
    await agent.settle(app)
    assert await site.get(CONFIG_MAP, "b") is None
    live = await site.get(CONFIG_MAP, "a")
    assert live
    assert live["data"] == {"v": "1"}
    assert synced(agent.applications.document(app) or {})


async def test_a_rollback_runs_no_hooks(agent: Agent, site: Site, app: str) -> None:
    migration = job("migrate", "PreSync", hook_delete_policy="HookSucceeded")
    await deployed(agent, app, [migration, config_map("a", {"v": "1"})], [config_map("a", {"v": "2"})])
    await site.until(JOB, "migrate", lambda live: live is None)
    agent.applications.request(app, Rollback("1", 0))
    document = await agent.until(app, lambda document: ids(document) == [0, 1, 2])
    assert [one["name"] for one in document["operationState"]["syncResult"]["resources"]] == ["a"]


async def test_a_sync_of_a_named_revision_goes_on_whatever_is_desired_since(
    agent: Agent, site: Site, app: str
) -> None:
    await deployed(agent, app, ONE)
    other = [STUCK, config_map("a", {"v": "branch"})]
    agent.hub[digest_of(other)] = as_text(other)
    agent.ask(app, digest=digest_of(other), revision="branch-sha")
    await agent.until(app, waits_for_health)
    agent.desire(app, TWO, sync=BY_HAND)
    document = await agent.until(app, partial(is_about, revision="r2"))
    await agent.settle(app)
    document = agent.applications.document(app) or {}
    assert waits_for_health(document)
    assert document["operationState"]["operation"]["sync"]["revision"] == "branch-sha"
    agent.applications.request(app, Terminate("jo"))
    await agent.until(app, failed)
    await agent.settle(app)
    third = [config_map("a", {"v": "third"})]
    agent.hub[digest_of(third)] = as_text(third)
    agent.ask(app, digest=digest_of(third), revision="third-sha")
    await agent.until(app, partial(was_deployed, times=2))
    live = await site.get(CONFIG_MAP, "a")
    assert live
    assert live["data"] == {"v": "third"}


async def test_a_rollback_is_refused_under_automated_sync_and_for_an_unknown_entry(
    agent: Agent, app: str
) -> None:
    agent.desire(app, ONE)
    await agent.until_synced(app)
    await agent.settle(app)
    with pytest.raises(RequestRefused, match="while automated sync is on"):
        agent.applications.request(app, Rollback("1", 0))
    agent.desire(app, ONE, sync=BY_HAND)
    with pytest.raises(RequestRefused, match="has no history entry 5; it has 0"):
        agent.applications.request(app, Rollback("1", 5))


@pytest.mark.parametrize("seed", range(2))
async def test_an_agent_killed_in_the_middle_of_a_rollback_ends_where_it_should(
    site: Site, settings: Settings, app: str, seed: int
) -> None:
    chance, store, bundles = random.Random(seed), MemoryProgress(), dict[str, str]()
    many = [*(config_map(f"c{number}") for number in range(8)), deployment("web")]
    few = [config_map("c0", {"v": "2"}), deployment("web", "shop/till:2")]
    async with running(site, settings, store, bundles=bundles) as agent:
        await deployed(agent, app, many, few)
        agent.applications.request(app, Rollback("1", 0, prune=True))
        for _ in range(chance.randrange(60)):
            await asyncio.sleep(0)
        # From here on the request is written down.
        await agent.until(app, lambda document: phase(document) == "Running" or len(ids(document)) == 3)
    for life in range(12):
        async with running(site, settings, store, bundles=bundles) as agent:
            agent._generation = 1
            agent.desire(app, few, sync=BY_HAND)
            for _ in range(chance.randrange(life * 40 + 10)):
                await asyncio.sleep(0)
    async with running(site, settings, store, bundles=bundles) as agent:
        agent._generation = 1
        agent.desire(app, few, sync=BY_HAND)
        document = await agent.until(app, lambda document: ids(document) == [0, 1, 2])
        assert document["sync"]["revision"] == "r2"
        await agent.settle(app)
    for number in range(8):
        live = await site.get(CONFIG_MAP, f"c{number}")
        assert live
        assert live["data"] == {"a": "1"}
    web = await site.get(DEPLOYMENT, "web")
    assert web
    assert web["spec"]["template"]["spec"]["containers"][0]["image"] == "shop/till:1"
