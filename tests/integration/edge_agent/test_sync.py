"""From what is desired to what is live."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .site import (
    CONFIG_MAP,
    DEPLOYMENT,
    NAMESPACE,
    PATIENCE_S,
    SECRET,
    SERVICE,
    Agent,
    Site,
    conditions,
    config_map,
    deployment,
    failed,
    finished,
    resources,
    results,
    synced,
)

if TYPE_CHECKING:
    from outrider_playground.kubernetes import SimulatedCluster


async def test_what_is_desired_is_applied_tracked_and_reported(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a", {"x": "1"}), deployment("web")])
    document = await agent.until_synced(app)
    assert {name: found["status"] for name, found in resources(document).items()} == {
        "a": "Synced",
        "web": "Synced",
    }
    assert document["summary"]["images"] == ["shop/till:1"]
    assert results(document) == {"a": ("Synced", "created"), "web": ("Synced", "created")}
    assert document["operationState"]["phase"] == "Succeeded"
    assert document["conditions"] == []
    live = await site.get(CONFIG_MAP, "a")
    assert live
    assert live["data"] == {"x": "1"}
    assert live["metadata"]["labels"]["app.outrider.dev/name"] == app
    tracking = live["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"]
    assert tracking == f"{app}:/ConfigMap:{site.namespace}/a"
    assert [entry["manager"] for entry in live["metadata"]["managedFields"]] == ["outrider"]


async def test_a_new_revision_changes_only_what_changed(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a", {"v": "1"}), config_map("b", {"v": "1"})])
    await agent.until_synced(app)
    before = await site.get(CONFIG_MAP, "b")
    agent.desire(app, [config_map("a", {"v": "2"}), config_map("b", {"v": "1"})])
    document = await agent.until_synced(app)
    assert results(document) == {"a": ("Synced", "configured"), "b": ("Synced", "unchanged")}
    live = await site.get(CONFIG_MAP, "a")
    assert live
    assert live["data"] == {"v": "2"}
    assert before == await site.get(CONFIG_MAP, "b")


async def test_a_field_that_left_the_bundle_is_removed(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a", {"x": "1", "y": "2"})])
    await agent.until_synced(app)
    agent.desire(app, [config_map("a", {"x": "1"})])
    await agent.until_synced(app)
    live = await site.get(CONFIG_MAP, "a")
    assert live
    assert live["data"] == {"x": "1"}


async def test_a_commit_that_changes_nothing_is_reported_without_a_sync(agent: Agent, app: str) -> None:
    agent.desire(app, [config_map("a")])
    first = await agent.until_synced(app)
    agent.desire(app, [config_map("a")])
    second = await agent.until_synced(app)
    assert second["sync"]["revision"] == "r2"
    assert second["operationState"] == first["operationState"]


async def test_the_newest_desired_state_wins_and_an_older_one_is_ignored(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [config_map("a", {"v": "old"})])
    agent.desire(app, [config_map("a", {"v": "new"})])
    agent._generation = 0
    agent.desire(app, [config_map("a", {"v": "replayed"})])
    document = await agent.until(app, synced)
    assert document["sync"]["revision"] == "r2"
    live = await site.get(CONFIG_MAP, "a")
    assert live
    assert live["data"] == {"v": "new"}


async def test_one_invalid_object_fails_the_sync_and_leaves_every_other_as_it_was(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [config_map("a", {"v": "1"}), deployment("web")])
    await agent.until_synced(app)
    before = await site.get(CONFIG_MAP, "a")
    broken = deployment("web", replicas="two")
    agent.desire(app, [config_map("a", {"v": "2"}), broken, config_map("new")])
    document = await agent.until(app, failed)
    found = results(document)
    assert found["web"][0] == "SyncFailed"
    assert "spec.replicas" in found["web"][1]
    assert found["a"] == found["new"] == ("SyncSkipped", "left as it was")
    assert "web" in document["operationState"]["message"]
    assert "SyncError" in conditions(document)
    assert document["sync"] == {"status": "OutOfSync", "revision": "r2"}
    assert await site.get(CONFIG_MAP, "a") == before
    assert await site.get(CONFIG_MAP, "new") is None


async def test_an_unknown_field_is_refused_by_name(agent: Agent, app: str) -> None:
    agent.desire(app, [config_map("a") | {"dta": {"x": "1"}}])
    document = await agent.until(app, failed)
    assert "dta" in results(document)["a"][1]


async def test_an_unknown_field_is_let_through_with_validate_false(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [config_map("a", sync_options="Validate=false") | {"dta": {}}])
    await agent.until_synced(app)
    assert await site.get(CONFIG_MAP, "a")


async def test_a_manifest_without_a_name_is_named_by_its_place(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("good"), {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}])
    document = await agent.until(app, failed)
    assert "number 2 of the bundle" in document["operationState"]["message"]
    assert "metadata.name" in document["operationState"]["message"]
    assert results(document)["good"][0] == "SyncSkipped"
    assert await site.get(CONFIG_MAP, "good") is None


async def test_a_hook_that_does_not_exist_is_refused_by_name_and_never_silently_dropped(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [config_map("h", hook="PreSink"), config_map("a")])
    document = await agent.until(app, failed)
    assert "PreSink" in results(document)["h"][1]
    assert await site.get(CONFIG_MAP, "a") is None


async def test_a_kind_that_the_cluster_does_not_serve_is_refused_by_name(agent: Agent, app: str) -> None:
    odd = {"apiVersion": "nowhere.example.com/v1", "kind": "Odd", "metadata": {"name": "o"}}
    agent.desire(app, [odd, config_map("a")])
    document = await agent.until(app, failed)
    assert "CustomResourceDefinition" in results(document)["o"][1]


async def test_a_missing_namespace_is_made_when_asked_for(agent: Agent, site: Site, app: str) -> None:
    name = f"{site.namespace}-made"
    sync = {"automated": {}, "syncOptions": ["CreateNamespace=true"]}
    agent.desire(app, [config_map("a")], destination={"namespace": name}, sync=sync)
    try:
        await agent.until_synced(app)
        assert await site.get(CONFIG_MAP, "a", name)
        made = await site.get(NAMESPACE, name, "")
        assert made
        assert "argocd.argoproj.io/tracking-id" not in made["metadata"].get("annotations", {})
    finally:
        await site.delete(NAMESPACE, name, "")


async def test_a_missing_namespace_fails_the_sync_and_says_what_to_do(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [config_map("a")], destination={"namespace": f"{site.namespace}-missing"})
    document = await agent.until(app, failed)
    assert "CreateNamespace=true" in results(document)["a"][1]


async def test_a_namespace_of_the_bundle_comes_before_what_goes_into_it(
    agent: Agent, site: Site, app: str
) -> None:
    name = f"{site.namespace}-own"
    own = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    agent.desire(app, [config_map("a", namespace=name), own])
    try:
        await agent.until_synced(app)
        assert await site.get(CONFIG_MAP, "a", name)
    finally:
        await site.delete(NAMESPACE, name, "")


async def test_without_automated_sync_nothing_is_touched_until_somebody_asks(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [config_map("a")], sync={})
    document = await agent.until(app, lambda document: document["sync"]["status"] == "OutOfSync")
    assert resources(document)["a"]["health"] == {"status": "Missing"}
    assert document["health"] == {"status": "Missing"}
    assert "operationState" not in document
    assert await site.get(CONFIG_MAP, "a") is None
    agent.ask(app, initiated_by="somebody")
    document = await agent.until_synced(app)
    assert document["operationState"]["phase"] == "Succeeded"
    assert await site.get(CONFIG_MAP, "a")


async def test_automated_sync_that_is_not_enabled_only_reports(agent: Agent, site: Site, app: str) -> None:
    agent.desire(
        app, [config_map("a")], sync={"automated": {"enabled": False, "prune": True, "selfHeal": True}}
    )
    await agent.until(app, lambda document: document["sync"]["status"] == "OutOfSync")
    await agent.settle(app)
    assert await site.get(CONFIG_MAP, "a") is None


async def test_a_dry_run_says_what_would_happen_and_does_nothing(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a")], sync={})
    agent.ask(app, dry_run=True)
    document = await agent.until(app, finished)
    assert results(document)["a"] == ("Synced", "would be applied (dry run)")
    assert document["sync"]["status"] == "OutOfSync"
    assert await site.get(CONFIG_MAP, "a") is None


async def test_a_sync_of_selected_resources_touches_no_other(agent: Agent, site: Site, app: str) -> None:
    from edge_agent.applications import Selector

    agent.desire(app, [config_map("a"), config_map("b")], sync={})
    agent.ask(app, resources=(Selector("", "ConfigMap", "b"),))
    document = await agent.until(app, finished)
    assert set(results(document)) == {"b"}
    assert await site.get(CONFIG_MAP, "b")
    assert await site.get(CONFIG_MAP, "a") is None


async def test_values_that_the_server_writes_another_way_are_in_sync(
    agent: Agent, site: Site, app: str
) -> None:
    odd = deployment("web")
    container = odd["spec"]["template"]["spec"]["containers"][0]
    container["resources"] = {"limits": {"cpu": "1000m", "memory": "1024Mi"}}
    container["env"] = []
    agent.desire(app, [odd])
    await agent.until_synced(app)
    agent.refresh(app, hard=True)
    await agent.settle(app)
    agent.desire(app, [odd], sync={})
    document = await agent.until(app, lambda document: document["sync"]["revision"] == "r2")
    assert document["sync"]["status"] == "Synced"


async def test_an_object_that_exists_already_is_adopted_with_what_others_added(
    agent: Agent, site: Site, app: str
) -> None:
    await site.create(config_map("a", {"mine": "1", "theirs": "2"}))
    agent.desire(app, [config_map("a", {"mine": "changed"})])
    document = await agent.until_synced(app)
    assert results(document)["a"] == ("Synced", "configured")
    live = await site.get(CONFIG_MAP, "a")
    assert live
    assert live["data"] == {"mine": "changed", "theirs": "2"}


async def test_ignored_differences_are_neither_reported_nor_healed(
    agent: Agent, site: Site, app: str
) -> None:
    rule = {"kind": "ConfigMap", "jsonPointers": ["/data/theirs"]}
    agent.desire(app, [config_map("a", {"mine": "1", "theirs": "1"})], ignoreDifferences=[rule])
    await agent.until_synced(app)
    await site.edit(CONFIG_MAP, "a", {"data": {"theirs": "edited"}})
    await site.edit(CONFIG_MAP, "a", {"data": {"mine": "edited"}})
    live = await site.until(CONFIG_MAP, "a", lambda live: live and live["data"]["mine"] == "1")
    assert live
    # Healing applies the whole object, unless told to respect what it ignores.
    assert live["data"]["theirs"] in ("1", "edited")
    assert synced(await agent.until(app, synced))


async def test_respected_ignored_differences_survive_a_sync(agent: Agent, site: Site, app: str) -> None:
    rule = {"kind": "ConfigMap", "jsonPointers": ["/data/theirs"]}
    sync = {"automated": {"selfHeal": True}, "syncOptions": ["RespectIgnoreDifferences=true"]}
    agent.desire(app, [config_map("a", {"mine": "1", "theirs": "1"})], ignoreDifferences=[rule], sync=sync)
    await agent.until_synced(app)
    await site.edit(CONFIG_MAP, "a", {"data": {"theirs": "edited"}})
    agent.desire(app, [config_map("a", {"mine": "2", "theirs": "1"})], ignoreDifferences=[rule], sync=sync)
    await agent.until_synced(app)
    live = await site.get(CONFIG_MAP, "a")
    assert live
    assert live["data"] == {"mine": "2", "theirs": "edited"}


async def test_the_next_wave_waits_for_the_health_of_this_one(
    agent: Agent, site: Site, app: str, simulated: SimulatedCluster
) -> None:
    late = config_map("late", sync_wave="1")
    agent.desire(app, [late, deployment("web", "shop/till:broken")])
    document = await agent.until(
        app, lambda document: "wave 0 waits" in document.get("operationState", {}).get("message", "")
    )
    assert document["operationState"]["phase"] == "Running"
    assert await site.get(CONFIG_MAP, "late") is None
    agent.desire(app, [late, deployment("web", "shop/till:2")])
    await agent.until_synced(app)
    assert await site.get(CONFIG_MAP, "late")


async def test_a_service_keeps_the_address_that_the_cluster_gave_it(
    agent: Agent, site: Site, app: str
) -> None:
    service: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "protocol": "TCP"}]},
    }
    agent.desire(app, [service])
    await agent.until_synced(app)
    before = await site.get(SERVICE, "s")
    service["spec"]["ports"] = [{"port": 81}]
    agent.desire(app, [service])
    await agent.until_synced(app)
    after = await site.get(SERVICE, "s")
    assert before
    assert after
    assert after["spec"]["clusterIP"] == before["spec"]["clusterIP"]
    assert [port["port"] for port in after["spec"]["ports"]] == [81]


async def test_no_value_of_a_secret_is_ever_said(agent: Agent, site: Site, app: str) -> None:
    canary = "canary-in-the-mine"
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "stringData": {"password": canary},
    }
    agent.desire(app, [secret])
    await agent.until_synced(app)
    await site.edit(SECRET, "s", {"data": {"password": "Y2FuYXJ5LWVkaXRlZA=="}})
    await site.until(SECRET, "s", lambda live: live and live["data"]["password"].startswith("Y2FuYXJ5LWlu"))
    agent.desire(app, [secret | {"stringData": {"password": [canary]}}])
    await agent.until(app, failed)
    agent.desire(app, [secret | {"stringData": {}, "data": {"password": canary}}])
    await agent.until(app, lambda document: failed(document) and document["sync"]["revision"] == "r3")
    for text in (repr(agent.said), repr(agent.store.values)):
        assert canary not in text
        assert "Y2FuYXJ5" not in text


async def test_an_application_of_many_objects_is_applied_whole(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map(f"many-{number}") for number in range(150)])
    async with asyncio.timeout(PATIENCE_S):
        document = await agent.until_synced(app)
    assert len(document["resources"]) == 150
    live = await site.get(DEPLOYMENT, "none")
    assert live is None
