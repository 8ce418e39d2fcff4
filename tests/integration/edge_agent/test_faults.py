"""A Kubernetes API that is slow, away, full, or says no."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .site import (
    CONFIG_MAP,
    DEPLOYMENT,
    SERVICE,
    Agent,
    Site,
    conditions,
    config_map,
    deployment,
    failed,
    resources,
    results,
    synced,
)

if TYPE_CHECKING:
    from outrider_playground.kubernetes import SimulatedCluster

SERVICE_S = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "s"},
    "spec": {"ports": [{"port": 80, "protocol": "TCP"}]},
}
QUICK_RETRY = {
    "automated": {"prune": True, "selfHeal": True},
    "retry": {"limit": -1, "backoff": {"duration": "20ms", "maxDuration": "100ms"}},
}


async def test_an_api_that_goes_away_in_a_sync_is_no_failed_attempt(
    agent: Agent, site: Site, app: str, simulated: SimulatedCluster
) -> None:
    simulated.faults.answer(503, "patch", times=7)
    agent.desire(app, [config_map("a"), config_map("b"), deployment("web")])
    document = await agent.until_synced(app)
    assert document["operationState"]["phase"] == "Succeeded"
    assert "retryCount" not in document["operationState"]
    assert not any(failed(said) for _, said in agent.said)


async def test_connections_that_are_cut_are_no_failed_attempt(
    agent: Agent, site: Site, app: str, simulated: SimulatedCluster
) -> None:
    simulated.faults.cut = True
    agent.desire(app, [config_map("a")])
    document = await agent.until(app, lambda document: "ComparisonError" in conditions(document))
    assert document["sync"]["status"] == "Unknown"
    assert document["health"]["status"] == "Unknown"
    simulated.faults.clear()
    document = await agent.until_synced(app)
    assert document["conditions"] == []
    assert "retryCount" not in document["operationState"]


async def test_an_answer_that_is_lost_after_the_fact_does_no_harm(
    agent: Agent, site: Site, app: str, simulated: SimulatedCluster
) -> None:
    simulated.faults.answer(504, "patch", times=3, after=True)
    agent.desire(app, [config_map("a"), config_map("b")])
    await agent.until_synced(app)
    assert await site.get(CONFIG_MAP, "a")
    assert await site.get(CONFIG_MAP, "b")


async def test_a_throttling_api_is_asked_again_when_it_says(
    agent: Agent, app: str, simulated: SimulatedCluster
) -> None:
    rule = simulated.faults.answer(429, "patch", times=2, retry_after_s=1)
    agent.desire(app, [config_map("a")])
    document = await agent.until_synced(app)
    assert rule.hits == 2
    assert "retryCount" not in document["operationState"]


async def test_a_short_absence_of_the_api_changes_no_status(
    agent: Agent, site: Site, app: str, simulated: SimulatedCluster
) -> None:
    agent.desire(app, [config_map("a")])
    await agent.until_synced(app)
    await agent.settle(app)
    await agent.until_watching(CONFIG_MAP)
    said = len(agent.said)
    simulated.faults.cut = True
    simulated.drop_watches()
    simulated.edit(config_map("a", namespace=site.namespace), {"data": {"a": "edited"}})
    await agent.until_broken(CONFIG_MAP)
    simulated.faults.clear()
    await site.until(CONFIG_MAP, "a", lambda live: live and live["data"]["a"] == "1")
    await agent.until_synced(app)
    assert not any(document["sync"]["status"] == "Unknown" for _, document in agent.said[said:])


async def test_a_kind_that_may_not_be_watched_is_named_and_the_others_go_on(
    agent: Agent, site: Site, app: str, simulated: SimulatedCluster
) -> None:
    simulated.faults.forbid("list", "services")
    agent.desire(app, [config_map("a"), SERVICE_S])
    document = await agent.until_synced(app)
    message = conditions(document)["ComparisonError"]
    assert "list" in message
    assert "services" in message
    assert resources(document)["s"]["status"] == "Synced"
    await site.edit(CONFIG_MAP, "a", {"data": {"a": "edited"}})
    assert await site.until(CONFIG_MAP, "a", lambda live: live and live["data"]["a"] == "1")
    # Not followed, but looked at now and then.
    await site.edit(SERVICE, "s", {"spec": {"ports": [{"port": 81}]}})
    assert await site.until(SERVICE, "s", lambda live: live and live["spec"]["ports"][0]["port"] == 80)


async def test_a_right_that_is_granted_later_is_used(
    agent: Agent, site: Site, app: str, simulated: SimulatedCluster
) -> None:
    rule = simulated.faults.forbid("list", "services")
    agent.desire(app, [SERVICE_S])
    await agent.until(app, lambda document: "ComparisonError" in conditions(document))
    simulated.faults.remove(rule)
    await agent.until(app, lambda document: synced(document) and document["conditions"] == [])


async def test_a_missing_right_to_apply_fails_the_sync_by_name_and_is_tried_again(
    agent: Agent, site: Site, app: str, simulated: SimulatedCluster
) -> None:
    rule = simulated.faults.forbid("patch", "services")
    agent.desire(app, [config_map("a"), SERVICE_S], sync=QUICK_RETRY)
    document = await agent.until(app, failed)
    assert "patch" in results(document)["s"][1]
    assert "services" in results(document)["s"][1]
    document = await agent.until(app, lambda document: document["operationState"].get("retryCount", 0) >= 3)
    simulated.faults.remove(rule)
    document = await agent.until_synced(app)
    assert document["operationState"]["phase"] == "Succeeded"
    assert "SyncError" not in conditions(document)


async def test_a_retry_limit_is_kept_and_said(agent: Agent, app: str, simulated: SimulatedCluster) -> None:
    rule = simulated.faults.forbid("patch", "configmaps")
    retry = {"limit": 2, "backoff": {"duration": "10ms", "maxDuration": "20ms"}}
    agent.desire(app, [config_map("a")], sync={"automated": {}, "retry": retry})
    document = await agent.until(app, lambda document: "gave up" in conditions(document).get("SyncError", ""))
    assert "3 attempts" in conditions(document)["SyncError"]
    assert rule.hits == 3
    simulated.faults.clear()
    agent.desire(app, [config_map("a", {"a": "2"})], sync={"automated": {}, "retry": retry})
    await agent.until_synced(app)


async def test_a_failing_application_does_not_stop_another(
    agent: Agent, site: Site, app: str, simulated: SimulatedCluster
) -> None:
    simulated.faults.delay(1.5, "patch", "deployments.apps")
    agent.desire(f"{app}-hangs", [deployment("web")])
    agent.desire(f"{app}-bad", [config_map("x") | {"bogus": 1}])
    agent.desire(
        f"{app}-odd", [{"apiVersion": "no.example.com/v1", "kind": "Odd", "metadata": {"name": "o"}}]
    )
    agent.desire(app, [config_map("a")])
    await agent.until_synced(app)
    await site.edit(CONFIG_MAP, "a", {"data": {"a": "edited"}})
    assert await site.until(CONFIG_MAP, "a", lambda live: live and live["data"]["a"] == "1")
    assert await site.get(DEPLOYMENT, "web") is None


async def test_a_watch_that_lost_its_place_lists_again_and_misses_nothing(
    agent: Agent, site: Site, app: str, simulated: SimulatedCluster
) -> None:
    agent.desire(app, [config_map("a"), config_map("b")])
    await agent.until_synced(app)
    rule = simulated.faults.answer(503, "watch", "configmaps")
    simulated.drop_watches()
    await site.edit(CONFIG_MAP, "a", {"data": {"a": "edited"}})
    await site.delete(CONFIG_MAP, "b")
    simulated.expire_watches()
    simulated.faults.remove(rule)
    assert await site.until(CONFIG_MAP, "a", lambda live: live and live["data"]["a"] == "1")
    assert await site.until(CONFIG_MAP, "b", lambda live: live is not None)


async def test_a_bundle_that_cannot_be_loaded_is_reported_and_tried_again(
    agent: Agent, site: Site, app: str
) -> None:
    from dataclasses import replace

    agent.desire(app, [config_map("a")])
    await agent.until_synced(app)
    worker = agent.applications._workers[app]
    good = worker.state.desired
    assert good

    def broken() -> list[dict[str, object]]:
        raise OSError("disk full")

    agent.applications.set_desired(replace(good, generation=(2, 1), digest="other", manifests=broken))
    document = await agent.until(app, lambda document: "UnknownError" in conditions(document))
    assert "OSError" in conditions(document)["UnknownError"]
    agent.applications.set_desired(replace(good, generation=(2, 2), revision="fixed"))
    document = await agent.until(
        app, lambda document: document["sync"]["revision"] == "fixed" and synced(document)
    )
    assert document["conditions"] == []


async def test_credentials_that_are_refused_are_read_anew(
    agent: Agent, app: str, simulated: SimulatedCluster
) -> None:
    simulated.faults.answer(401, times=3)
    agent.desire(app, [config_map("a")])
    await agent.until_synced(app)
