"""Sync options: each does what Argo CD says of it."""

from __future__ import annotations

from typing import Any

from edge_agent.cluster import Kind

from .site import (
    CONFIG_MAP,
    DEPLOYMENT,
    NAMESPACE,
    SERVICE,
    Agent,
    Site,
    config_map,
    deployment,
    failed,
    finished,
    results,
    synced,
)
from .test_hooks import JOB, job

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def automated(*options: str) -> dict[str, Any]:
    return {
        "automated": {"prune": True, "selfHeal": True},
        "retry": {"limit": 0},
        "syncOptions": list(options),
    }


def service(name: str, *ports: int, **annotations: str) -> dict[str, Any]:
    found = config_map(name, None, "", **annotations)
    del found["data"]
    return found | {
        "kind": "Service",
        "spec": {"selector": {"app": name}, "ports": [{"name": f"p{port}", "port": port} for port in ports]},
    }


async def test_replace_puts_the_manifest_in_the_place_of_what_is_there(
    agent: Agent, site: Site, app: str
) -> None:
    await site.create(config_map("a", {"theirs": "1"}))
    await site.create(config_map("b", {"theirs": "1"}))
    agent.desire(
        app, [config_map("a", {"mine": "1"}, sync_options="Replace=true"), config_map("b", {"mine": "1"})]
    )
    await agent.until_synced(app)
    replaced, applied = await site.get(CONFIG_MAP, "a"), await site.get(CONFIG_MAP, "b")
    assert replaced
    assert applied
    assert replaced["data"] == {"mine": "1"}
    assert applied["data"] == {"theirs": "1", "mine": "1"}


async def test_an_object_can_take_itself_out_of_the_applications_replace(
    agent: Agent, site: Site, app: str
) -> None:
    await site.create(config_map("a", {"theirs": "1"}))
    agent.desire(
        app, [config_map("a", {"mine": "1"}, sync_options="Replace=false")], sync=automated("Replace=true")
    )
    await agent.until_synced(app)
    live = await site.get(CONFIG_MAP, "a")
    assert live
    assert live["data"] == {"theirs": "1", "mine": "1"}


async def test_force_makes_again_what_cannot_be_changed(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [job("once", image="shop/a:1"), config_map("a")], sync=automated())
    await agent.until_synced(app)
    before = await site.get(JOB, "once")
    agent.desire(app, [job("once", image="shop/a:2"), config_map("a")], sync=automated())
    document = await agent.until(app, failed)
    assert "immutable" in results(document)["once"][1]
    agent.desire(app, [job("once", image="shop/a:2"), config_map("a")], sync=automated("Force=true"))
    await agent.until_synced(app)
    after = await site.get(JOB, "once")
    assert before
    assert after
    assert after["metadata"]["uid"] != before["metadata"]["uid"]


async def test_force_deletes_nothing_for_a_manifest_that_the_server_would_not_take(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [deployment("web")], sync=automated("Force=true"))
    await agent.until_synced(app)
    before = await site.get(DEPLOYMENT, "web")
    agent.desire(app, [deployment("web", replicas="two")], sync=automated("Force=true"))
    await agent.until(app, failed)
    after = await site.get(DEPLOYMENT, "web")
    assert before
    assert after
    assert after["metadata"]["uid"] == before["metadata"]["uid"]


async def test_force_with_replace_makes_an_object_again_in_each_sync_and_not_for_a_heal(
    agent: Agent, site: Site, app: str
) -> None:
    again = job("again", sync_options="Force=true,Replace=true")
    agent.desire(app, [again, config_map("a")])
    await agent.until_synced(app)
    first = await site.get(JOB, "again")
    await site.edit(CONFIG_MAP, "a", {"data": {"a": "edited"}})
    await site.until(CONFIG_MAP, "a", lambda live: live and live["data"]["a"] == "1")
    assert first
    held = await site.get(JOB, "again")
    assert held
    assert held["metadata"]["uid"] == first["metadata"]["uid"]
    agent.desire(app, [again, config_map("a", {"v": "2"})])
    document = await agent.until(
        app,
        lambda document: finished(document) and document["operationState"]["syncResult"]["revision"] == "r2",
    )
    second = await site.get(JOB, "again")
    assert second
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    assert results(document)["again"] == ("Synced", "created")


async def test_client_side_apply_keeps_what_others_added_and_takes_away_what_left_the_bundle(
    agent: Agent, site: Site, app: str
) -> None:
    option = "ServerSideApply=false"
    agent.desire(
        app,
        [
            config_map("a", {"x": "1", "y": "1"}, sync_options=option),
            service("s", 80, 81, sync_options=option),
        ],
    )
    await agent.until_synced(app)
    await site.edit(CONFIG_MAP, "a", {"data": {"theirs": "1"}})
    agent.desire(
        app, [config_map("a", {"x": "2"}, sync_options=option), service("s", 81, 82, sync_options=option)]
    )
    await agent.until_synced(app)
    merged, ports = await site.get(CONFIG_MAP, "a"), await site.get(SERVICE, "s")
    assert merged
    assert ports
    assert merged["data"] == {"x": "2", "theirs": "1"}
    assert LAST_APPLIED in merged["metadata"]["annotations"]
    assert [port["port"] for port in ports["spec"]["ports"]] == [81, 82]
    assert {entry["operation"] for entry in merged["metadata"]["managedFields"]} == {"Update"}


async def test_an_object_applied_client_side_is_in_sync_and_its_drift_is_healed(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [deployment("web")], sync=automated("ServerSideApply=false"))
    document = await agent.until(app, lambda document: finished(document) and synced(document))
    assert results(document)["web"] == ("Synced", "created")
    agent.refresh(app, hard=True)
    await agent.settle(app)
    document = await agent.until(app, synced)
    await site.edit(DEPLOYMENT, "web", {"spec": {"replicas": 3}})
    await site.until(DEPLOYMENT, "web", lambda live: live and live["spec"]["replicas"] == 1)
    agent.desire(app, [deployment("web", minReadySeconds=3)], sync=automated("ServerSideApply=false"))
    await agent.until_synced(app)
    agent.desire(app, [deployment("web")], sync=automated("ServerSideApply=false"))
    await site.until(DEPLOYMENT, "web", lambda live: live and not live["spec"].get("minReadySeconds"))


async def test_fields_of_kubectl_and_argo_cd_are_taken_over_and_go_when_they_leave_the_bundle(
    agent: Agent, site: Site, app: str
) -> None:
    for name, manager in (("a", "kubectl-client-side-apply"), ("b", "argocd-controller"), ("c", "somebody")):
        kind, key = CONFIG_MAP, site.key(CONFIG_MAP, name)
        manifest = config_map(name, {"mine": "1", "old": "1"}, namespace=site.namespace)
        await site.cluster.create(kind, key, manifest, manager=manager)
    agent.desire(app, [config_map(name, {"mine": "1"}) for name in "abc"])
    await agent.until_synced(app)
    found = {name: await site.get(CONFIG_MAP, name) for name in "abc"}
    data = {name: live["data"] for name, live in found.items() if live}
    assert data == {"a": {"mine": "1"}, "b": {"mine": "1"}, "c": {"mine": "1", "old": "1"}}
    assert found["a"]
    assert [entry["manager"] for entry in found["a"]["metadata"]["managedFields"]] == ["outrider"]


async def test_fields_are_left_to_kubectl_where_that_is_asked_for(agent: Agent, site: Site, app: str) -> None:
    manifest = config_map("a", {"mine": "1", "old": "1"}, namespace=site.namespace)
    await site.cluster.create(
        CONFIG_MAP, site.key(CONFIG_MAP, "a"), manifest, manager="kubectl-client-side-apply"
    )
    agent.desire(app, [config_map("a", {"mine": "1"})], sync=automated("ClientSideApplyMigration=false"))
    await agent.until_synced(app)
    live = await site.get(CONFIG_MAP, "a")
    assert live
    assert live["data"] == {"mine": "1", "old": "1"}


async def test_a_namespace_is_made_with_its_labels_and_keeps_those_of_others(
    agent: Agent, site: Site, app: str
) -> None:
    name = f"{site.namespace}-managed"
    sync = automated("CreateNamespace=true") | {
        "managedNamespaceMetadata": {"labels": {"team": "till"}, "annotations": {"note": "1"}}
    }
    try:
        agent.desire(app, [config_map("a")], destination={"namespace": name}, sync=sync)
        await agent.until_synced(app)
        await site.edit(NAMESPACE, name, {"metadata": {"labels": {"theirs": "1"}}}, "")
        sync = sync | {"managedNamespaceMetadata": {"labels": {"team": "shop"}}}
        agent.desire(app, [config_map("a", {"v": "2"})], destination={"namespace": name}, sync=sync)
        await agent.until_synced(app)
        live = await site.get(NAMESPACE, name, "")
        assert live
        labels = live["metadata"]["labels"]
        assert (labels["team"], labels["theirs"]) == ("shop", "1")
        assert "note" not in live["metadata"].get("annotations", {})
    finally:
        await site.delete(NAMESPACE, name, "")


async def test_a_project_refuses_kinds_namespaces_and_hooks_before_anything_is_touched(
    agent: Agent, site: Site, app: str
) -> None:
    project = {"name": "till", "namespaceResourceBlacklist": [{"group": "batch", "kind": "Job"}]}
    agent.desire(app, [config_map("a"), job("h", "PostDelete")], project=project, sync=automated())
    document = await agent.until(app, failed)
    assert "project till forbids batch/Job" in document["operationState"]["message"]
    assert await site.get(CONFIG_MAP, "a") is None
    project = {"name": "till", "namespaces": ["other-*"]}
    agent.desire(app, [config_map("a")], project=project, sync=automated())
    document = await agent.until(
        app, lambda document: "destinations" in document["operationState"]["message"]
    )
    assert site.namespace in results(document)["a"][1]
    assert await site.get(CONFIG_MAP, "a") is None


async def test_a_project_that_allows_no_namespaces_makes_none(agent: Agent, site: Site, app: str) -> None:
    name = f"{site.namespace}-refused"
    agent.desire(
        app,
        [config_map("a")],
        destination={"namespace": name},
        project={"name": "till", "clusterResourceWhitelist": []},
        sync=automated("CreateNamespace=true"),
    )
    document = await agent.until(app, failed)
    assert "CreateNamespace" in document["operationState"]["message"]
    assert await site.get(NAMESPACE, name, "") is None


async def test_what_is_pruned_last_goes_when_everything_is_healthy(
    agent: Agent, site: Site, app: str
) -> None:
    if site.simulated is None:
        return
    agent.desire(app, [config_map("old"), deployment("web")], sync=automated("PruneLast=true"))
    await agent.until_synced(app)
    agent.desire(app, [deployment("web", "shop/till:broken")], sync=automated("PruneLast=true"))
    await agent.until(
        app, lambda document: "wave 0 waits" in document.get("operationState", {}).get("message", "")
    )
    assert await site.get(CONFIG_MAP, "old")
    agent.desire(app, [deployment("web", "shop/till:2")], sync=automated("PruneLast=true"))
    await agent.until_synced(app)
    assert await site.get(CONFIG_MAP, "old") is None


async def test_options_of_a_request_stand_in_place_of_the_applications(
    agent: Agent, site: Site, app: str
) -> None:
    await site.create(config_map("a", {"theirs": "1"}))
    agent.desire(app, [config_map("a", {"mine": "1"})], sync={})
    agent.ask(app, options=("Replace=true",))
    await agent.until_synced(app)
    live = await site.get(CONFIG_MAP, "a")
    assert live
    assert live["data"] == {"mine": "1"}


async def test_a_kind_that_does_not_exist_yet_is_not_judged_where_that_is_asked_for(
    agent: Agent, site: Site, app: str
) -> None:
    odd = {"apiVersion": "nowhere.example.com/v1", "kind": "Odd", "metadata": {"name": "o"}}
    agent.desire(app, [odd, config_map("a")], sync=automated("SkipDryRunOnMissingResource=true"))
    document = await agent.until(app, failed)
    assert results(document)["o"][0] == "SyncFailed"
    # Without the option nothing would have been touched.
    assert await site.get(CONFIG_MAP, "a")
    assert await site.get(Kind("", "v1", "ConfigMap"), "a")
