"""The resource tree of an application, asked of a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.cluster import Key, Kind, Transient
from edge_agent.tree import belongs, orphan_warning, resource_tree

from .site import CONFIG_MAP, DEPLOYMENT, SERVICE, Agent, Site, config_map, deployment

if TYPE_CHECKING:
    from outrider_playground.kubernetes import SimulatedCluster

POD = Kind("", "v1", "Pod")
SERVICE_MANIFEST: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "protocol": "TCP"}]},
}
ORPHANED: dict[str, Any] = {"orphanedResources": {}}


async def tree(agent: Agent, app: str) -> dict[str, Any]:
    state, around = agent.applications.about(app)
    return await resource_tree(state, around, agent.applications.names())


def by_kind(nodes: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [node for node in nodes if node["kind"] == kind]


def populated(live: dict[str, Any] | None) -> bool:
    """A control plane without nodes makes Pods, and none of them ready."""
    return bool(live and live.get("status", {}).get("replicas") == live["spec"]["replicas"])


async def test_a_tree_reaches_from_a_deployment_to_its_pods(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [deployment("web", replicas=2), SERVICE_MANIFEST, config_map("a")])
    await agent.until_synced(app)
    await site.until(DEPLOYMENT, "web", populated)
    nodes = (await tree(agent, app))["nodes"]
    (top,) = by_kind(nodes, "Deployment")
    (middle,) = by_kind(nodes, "ReplicaSet")
    pods = by_kind(nodes, "Pod")
    assert top["parents"] == []
    assert middle["parents"] == [top["uid"]]
    assert [pod["parents"] for pod in pods] == [[middle["uid"]]] * 2
    assert all(
        pod["images"] == ["shop/till:1"] and pod["health"]["status"] in ("Healthy", "Progressing")
        for pod in pods
    )
    assert {"name": "Revision", "value": "Rev:1"} in middle["info"]
    assert all(node["created_at"].endswith("Z") for node in nodes)
    assert by_kind(nodes, "ConfigMap")
    assert by_kind(nodes, "Service")


async def test_what_is_missing_stands_in_the_tree(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a"), config_map("b")], sync={})
    await agent.until(app, lambda document: document["sync"]["status"] == "OutOfSync")
    nodes = (await tree(agent, app))["nodes"]
    assert [(node["name"], node["health"]) for node in nodes] == [
        ("a", {"status": "Missing"}),
        ("b", {"status": "Missing"}),
    ]


async def test_orphans_are_found_where_the_project_asks(agent: Agent, site: Site, app: str) -> None:
    other = f"{app}-other"
    agent.desire(app, [deployment("web")], project=ORPHANED)
    agent.desire(other, [config_map("theirs")])
    await agent.until_synced(other)
    await agent.until(app, lambda document: document["sync"]["status"] == "Synced")
    await site.create(config_map("lost"))
    if site.simulated:
        # A real control plane makes it itself.
        await site.create(config_map("kube-root-ca.crt"))
    answer = await tree(agent, app)
    assert [node["name"] for node in answer["orphaned"]] == ["lost"]
    assert not answer["truncated"]
    state, around = agent.applications.about(app)
    names = agent.applications.names()
    assert await orphan_warning(state, around, names) == "Application has 1 orphaned resources"
    await site.delete(CONFIG_MAP, "lost")
    assert await orphan_warning(state, around, names) == ""
    # The other application's project doesn't ask.
    assert (await tree(agent, other))["orphaned"] == []


async def test_a_tree_costs_nothing_after_it_was_given(
    simulated: SimulatedCluster, agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [deployment("web")])
    await agent.until_synced(app)
    await site.until(DEPLOYMENT, "web", populated)
    await tree(agent, app)
    watched = {watched.kind.kind for watched in agent.applications._around.watches.all()}
    assert watched == {"Deployment"}
    assert simulated.requests["watch", "pods"] == 0


async def test_kinds_that_may_not_be_listed_are_named_and_stop_nothing(
    simulated: SimulatedCluster, agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [deployment("web")])
    await agent.until_synced(app)
    await site.until(DEPLOYMENT, "web", populated)
    simulated.faults.forbid("list", "secrets")
    simulated.faults.answer(503, "list", "jobs.batch")
    answer = await tree(agent, app)
    assert by_kind(answer["nodes"], "Pod")
    assert any("secrets" in reason for reason in answer["refused"])
    assert any("jobs" in reason for reason in answer["refused"])


async def test_without_the_cluster_the_tree_is_what_is_known(
    simulated: SimulatedCluster, agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [deployment("web"), config_map("a")], project=ORPHANED)
    await agent.until_synced(app)
    simulated.faults.answer(503)
    answer = await tree(agent, app)
    state, around = agent.applications.about(app)
    with pytest.raises(Transient):
        await orphan_warning(state, around, agent.applications.names())
    simulated.faults.clear()
    assert answer["stale"]
    assert sorted(node["name"] for node in answer["nodes"]) == ["a", "web"]


async def test_an_object_belongs_to_the_application_that_it_descends_from(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [deployment("web"), SERVICE_MANIFEST])
    await agent.until_synced(app)
    await site.until(DEPLOYMENT, "web", populated)
    pod = by_kind((await tree(agent, app))["nodes"], "Pod")[0]
    live = await site.get(POD, pod["name"])
    assert live
    assert await belongs(app, live, site.cluster)
    assert not await belongs("another", live, site.cluster)
    # A claim by name alone, without the owner's uid, is none.
    live["metadata"]["ownerReferences"][0]["uid"] = "forged"
    assert not await belongs(app, live, site.cluster)
    alone = await site.create(config_map("alone"))
    assert not await belongs(app, alone, site.cluster)
    service = await site.get(SERVICE, "web")
    assert service
    assert await belongs(app, service, site.cluster)
    assert Key("", "Service", site.namespace, "web") == site.key(SERVICE, "web")
