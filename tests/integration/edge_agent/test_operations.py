"""Syncs that somebody asks for, terminates, rolls back; retries, time-outs and what is remembered of them."""

from __future__ import annotations

import asyncio
import json
import random
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.applications import (
    MemoryProgress,
    RequestRefused,
    Rollback,
    Selector,
    Settings,
    Terminate,
)

from .site import (
    CONFIG_MAP,
    DEPLOYMENT,
    PATIENCE_S,
    Agent,
    Site,
    conditions,
    config_map,
    deployment,
    digest_of,
    failed,
    finished,
    results,
    running,
    synced,
)
from .test_hooks import JOB, job, jobs

if TYPE_CHECKING:
    from outrider_playground.kubernetes import SimulatedCluster

BY_HAND: dict[str, Any] = {}
ONE, TWO = [config_map("a", {"v": "1"}), config_map("gone")], [config_map("a", {"v": "2"})]
NEVER = {"limit": -1, "backoff": {"duration": "1h", "maxDuration": "1h"}}
# A first wave that does not become healthy: its volume is never bound.
STUCK = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "stuck", "annotations": {"argocd.argoproj.io/sync-wave": "-1"}},
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "of-no-provisioner",
        "resources": {"requests": {"storage": "1Mi"}},
    },
}


def phase(document: dict[str, Any]) -> str:
    return str(document.get("operationState", {}).get("phase", ""))


def waits_for_health(document: dict[str, Any]) -> bool:
    return phase(document) == "Running" and "stuck" in document["operationState"]["message"]


def ids(document: dict[str, Any]) -> list[int]:
    return [entry["id"] for entry in document.get("history", ())]


def is_about(document: dict[str, Any], revision: str) -> bool:
    return bool(document["sync"]["revision"] == revision)


def was_deployed(document: dict[str, Any], times: int) -> bool:
    return len(ids(document)) == times


async def deployed(agent: Agent, app: str, *bundles: list[dict[str, Any]]) -> dict[str, Any]:
    """Have bundles synced by hand, one after the other."""
    for number, manifests in enumerate(bundles):
        agent.desire(app, manifests, sync=BY_HAND)
        await agent.until(app, partial(is_about, revision=f"r{agent._generation}"))
        await agent.settle(app)
        agent.ask(app, prune=True, initiated_by="jo")
        await agent.until(app, partial(was_deployed, times=number + 1))
        await agent.settle(app)
    document = agent.applications.document(app)
    assert document
    return document


async def test_the_history_says_who_when_and_what(agent: Agent, app: str) -> None:
    agent.desire(app, ONE)
    await agent.until_synced(app)
    agent.ask(app, initiated_by="jo")
    document = await agent.until(app, lambda document: len(document.get("history", ())) == 2)
    first, second = document["history"]
    assert first["initiatedBy"] == {"automated": True}
    assert second["initiatedBy"] == {"username": "jo"}
    assert (first["id"], second["id"], first["revision"]) == (0, 1, "r1")
    assert first["digest"] == digest_of(ONE)[:8].hex()
    assert first["deployStartedAt"] <= first["deployedAt"] <= second["deployedAt"]
    operation = document["operationState"]["operation"]
    assert operation == {"initiatedBy": {"username": "jo"}, "sync": {"revision": "r1"}}
    assert document["operationState"]["syncResult"]["revision"] == "r1"


async def test_heals_dry_runs_and_selected_resources_are_no_history(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, ONE)
    await agent.until_synced(app)
    await site.edit(CONFIG_MAP, "a", {"data": {"v": "edited"}})
    await site.until(CONFIG_MAP, "a", lambda live: live and live["data"]["v"] == "1")
    await agent.settle(app)
    agent.ask(app, dry_run=True)
    await agent.until(app, lambda document: document["operationState"]["operation"]["sync"].get("dryRun"))
    await agent.settle(app)
    agent.ask(app, resources=(Selector("", "ConfigMap", "a"),))
    document = await agent.until(
        app, lambda document: document["operationState"]["operation"]["sync"].get("resources")
    )
    await agent.settle(app)
    assert document["operationState"]["operation"]["sync"]["resources"] == [
        {"group": "", "kind": "ConfigMap", "namespace": "", "name": "a"}
    ]
    assert ids(document) == [0]


async def test_the_history_keeps_as_many_as_the_application_says(agent: Agent, app: str) -> None:
    for number in range(4):
        agent.desire(app, [config_map("a", {"v": str(number)})], revisionHistoryLimit=2)
        document = await agent.until_synced(app)
        await agent.settle(app)
    assert ids(document) == [2, 3]
    assert len(agent.store.bundles[app]) == 2
    agent.desire(app, [config_map("a", {"v": "9"})], revisionHistoryLimit=0)
    document = await agent.until_synced(app)
    assert "history" not in document
    assert agent.store.bundles[app] == []


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
    agent.hub[digest_of(other)] = agent_text(other)
    agent.ask(app, digest=digest_of(other), revision="branch-sha")
    document = await agent.until(app, lambda document: ids(document) == [0, 1])
    assert document["history"][-1]["revision"] == "branch-sha"
    live = await site.get(CONFIG_MAP, "a")
    assert live
    assert live["data"] == {"v": "branch"}
    assert digest_of(other)[:8].hex() in agent.store.bundles[app]


def agent_text(manifests: list[dict[str, Any]]) -> str:
    return json.dumps(manifests)


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
    agent.hub[digest_of(other)] = agent_text(other)
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


async def test_a_sync_that_took_too_long_stops_its_hooks_before_it_is_tried_again(
    agent: Agent, site: Site, app: str
) -> None:
    migration = job("migrate-", "PreSync", generated=True)
    migration["spec"]["suspend"] = True
    retry = {"limit": 1, "backoff": {"duration": "1ms", "maxDuration": "1ms"}}
    agent.desire(
        app,
        [migration, config_map("a")],
        sync={"automated": {}, "retry": retry},
        annotations={"outrider.dev/sync-timeout": "300ms"},
    )
    await agent.until(app, lambda document: "gave up" in conditions(document).get("SyncError", ""))
    await agent.settle(app)
    for name in await jobs(site):
        await site.until(JOB, name, lambda live: live is None)


async def test_a_rollback_runs_no_hooks(agent: Agent, site: Site, app: str) -> None:
    migration = job("migrate", "PreSync", hook_delete_policy="HookSucceeded")
    await deployed(agent, app, [migration, config_map("a", {"v": "1"})], [config_map("a", {"v": "2"})])
    await site.until(JOB, "migrate", lambda live: live is None)
    agent.applications.request(app, Rollback("1", 0))
    document = await agent.until(app, lambda document: ids(document) == [0, 1, 2])
    assert [one["name"] for one in document["operationState"]["syncResult"]["resources"]] == ["a"]


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


async def test_a_second_sync_is_refused_while_one_is_under_way(agent: Agent, app: str) -> None:
    agent.desire(app, [STUCK, config_map("a")], sync=BY_HAND)
    await agent.until(app, lambda document: document["sync"]["status"] == "OutOfSync")
    await agent.settle(app)
    agent.ask(app)
    with pytest.raises(RequestRefused, match="just before"):
        agent.ask(app)
    await agent.until(app, waits_for_health)
    with pytest.raises(RequestRefused, match=r"is under way since .*; terminate it first"):
        agent.ask(app)
    agent.applications.request(app, Terminate("jo"))
    await agent.until(app, failed)
    await agent.settle(app)
    agent.ask(app)
    await agent.until(app, waits_for_health)


async def test_a_newer_desired_state_supersedes_a_sync_that_waits(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [STUCK, config_map("a")])
    await agent.until(app, waits_for_health)
    agent.desire(app, [config_map("b")])
    await agent.until_synced(app)
    ended = [
        document["operationState"]["message"] for _, document in agent.said if phase(document) == "Failed"
    ]
    assert ended == ["superseded by revision r2"]
    assert await site.get(CONFIG_MAP, "a") is None


async def test_other_settings_begin_a_sync_that_waits_anew(agent: Agent, app: str) -> None:
    agent.desire(app, [STUCK, config_map("a")])
    await agent.until(app, waits_for_health)
    agent._generation = 0
    agent.desire(app, [STUCK, config_map("a")], sync={"automated": {"prune": False}})
    await agent.until(app, lambda _: any(failed(document) for _, document in agent.said))
    await agent.until(app, waits_for_health)
    said = [document["operationState"]["message"] for _, document in agent.said if failed(document)]
    assert said == ["superseded by the same revision under other settings"]


async def test_a_sync_of_a_named_revision_goes_on_whatever_is_desired_since(
    agent: Agent, site: Site, app: str
) -> None:
    await deployed(agent, app, ONE)
    other = [STUCK, config_map("a", {"v": "branch"})]
    agent.hub[digest_of(other)] = agent_text(other)
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
    agent.hub[digest_of(third)] = agent_text(third)
    agent.ask(app, digest=digest_of(third), revision="third-sha")
    await agent.until(app, partial(was_deployed, times=2))
    live = await site.get(CONFIG_MAP, "a")
    assert live
    assert live["data"] == {"v": "third"}


async def test_a_sync_that_takes_too_long_fails_says_so_and_is_tried_again(
    agent: Agent, site: Site, app: str
) -> None:
    retry = {"limit": -1, "backoff": {"duration": "1ms", "maxDuration": "1ms"}}
    agent.desire(
        app,
        [STUCK, config_map("a")],
        sync={"automated": {}, "retry": retry},
        annotations={"outrider.dev/sync-timeout": "200ms"},
    )
    document = await agent.until(
        app, lambda document: failed(document) and document["operationState"].get("retryCount", 0) >= 2
    )
    assert document["operationState"]["message"].startswith(
        "took longer than 200ms, its time-out: wave -1 waits for"
    )
    assert conditions(document)["SyncError"] == document["operationState"]["message"]
    agent.desire(app, [config_map("a")])
    await agent.until_synced(app)


async def test_without_a_time_out_a_sync_waits_as_long_as_it_takes(agent: Agent, app: str) -> None:
    agent.desire(app, [STUCK, config_map("a")])
    await agent.until(app, waits_for_health)
    await agent.settle(app)
    assert agent.timers() == []


async def test_a_sync_somebody_asked_for_is_tried_as_often_as_they_say(
    agent: Agent, app: str, simulated: SimulatedCluster
) -> None:
    simulated.faults.forbid("patch", "configmaps")
    fast = {"backoff": {"duration": "1ms", "maxDuration": "1ms"}}
    agent.desire(app, ONE, sync={"retry": fast})
    await agent.until(app, lambda document: document["sync"]["status"] == "OutOfSync")
    await agent.settle(app)
    agent.ask(app, retry_limit=2)
    await agent.until(
        app, lambda document: failed(document) and document["operationState"].get("retryCount") == 2
    )
    await agent.settle(app)
    failures = [document for _, document in agent.said if failed(document)]
    counts = {document["operationState"].get("retryCount", 0) for document in failures}
    assert counts == {0, 1, 2}
    assert agent.timers() == []
    assert agent.store.values[app]["request"] is None


async def test_a_sync_somebody_asked_for_without_retries_fails_once(
    agent: Agent, app: str, simulated: SimulatedCluster
) -> None:
    rule = simulated.faults.forbid("patch", "configmaps")
    agent.desire(app, ONE, sync=BY_HAND)
    await agent.until(app, lambda document: document["sync"]["status"] == "OutOfSync")
    await agent.settle(app)
    agent.ask(app)
    await agent.until(app, failed)
    simulated.faults.remove(rule)
    await agent.settle(app)
    assert agent.timers() == []
    assert (agent.applications.document(app) or {})["sync"]["status"] == "OutOfSync"


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


async def test_an_application_that_is_to_be_left_alone_is_neither_synced_nor_healed(
    agent: Agent, site: Site, app: str
) -> None:
    left_alone = {"argocd.argoproj.io/skip-reconcile": "true"}
    agent.desire(app, ONE, annotations=left_alone)
    document = await agent.until(app, lambda document: document["sync"]["status"] == "OutOfSync")
    assert "operationState" not in document
    with pytest.raises(RequestRefused, match="is left alone while its annotation"):
        agent.ask(app)
    agent.desire(app, ONE)
    await agent.until_synced(app)
    agent.desire(app, ONE, annotations=left_alone)
    await site.edit(CONFIG_MAP, "a", {"data": {"v": "edited"}})
    await agent.until(app, lambda document: document["sync"]["status"] == "OutOfSync")


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
