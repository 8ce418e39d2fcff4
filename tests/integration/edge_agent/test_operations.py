"""Syncs that somebody asks for; retries, time-outs, what supersedes what, and what is remembered of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge_agent.applications import (
    RequestRefused,
    Selector,
    Terminate,
)

from .asking import (
    BY_HAND,
    ONE,
    STUCK,
    ids,
    phase,
    waits_for_health,
)
from .site import (
    CONFIG_MAP,
    Agent,
    Site,
    conditions,
    config_map,
    digest_of,
    failed,
)
from .test_hooks import JOB, job, jobs

if TYPE_CHECKING:
    from outrider_playground.kubernetes import SimulatedCluster


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
