"""What others make of each write: admission webhooks, defaults, controllers."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from edge_agent.cluster import Kind

from .admission import mutating
from .site import CONFIG_MAP, DEPLOYMENT, Agent, Site, config_map, deployment, resources

if TYPE_CHECKING:
    from outrider_playground.kubernetes import SimulatedCluster

CLUSTER_ROLE = Kind("rbac.authorization.k8s.io", "v1", "ClusterRole")
COMPARE = {"argocd.argoproj.io/compare-options": "ServerSideDiff=true,IncludeMutationWebhook=true"}


def stamps() -> Any:
    """Return what writes another annotation with every write."""
    numbers = itertools.count()

    def stamp(found: dict[str, Any]) -> None:
        found["metadata"].setdefault("annotations", {})["stamped"] = str(next(numbers))

    return stamp


async def look_again(agent: Agent, app: str) -> dict[str, Any]:
    agent.refresh(app, hard=True)
    await agent.settle(app)
    document = agent.applications.document(app)
    assert document
    return document


def written(simulated: SimulatedCluster, plural: str) -> int:
    """Return how many writes came in, dry runs included."""
    return simulated.requests["patch", plural]


async def test_a_webhook_that_adds_a_container_makes_no_difference(
    simulated: SimulatedCluster, agent: Agent, site: Site, app: str
) -> None:
    def inject(found: dict[str, Any]) -> None:
        containers = found["spec"]["template"]["spec"]["containers"]
        if all(one["name"] != "proxy" for one in containers):
            containers.insert(0, {**containers[0], "name": "proxy", "image": "mesh:7"})

    with mutating("apps", "deployments", inject):
        agent.desire(app, [deployment("web")])
        await agent.until_synced(app)
        assert (await look_again(agent, app))["sync"]["status"] == "Synced"
        live = await site.get(DEPLOYMENT, "web")
        assert live
        assert [one["name"] for one in live["spec"]["template"]["spec"]["containers"]] == ["proxy", "web"]


async def test_a_webhook_that_changes_a_desired_field_makes_no_difference(
    simulated: SimulatedCluster, agent: Agent, site: Site, app: str
) -> None:
    def mirror(found: dict[str, Any]) -> None:
        for one in found["spec"]["template"]["spec"]["containers"]:
            if not one["image"].startswith("mirror/"):
                one["image"] = f"mirror/{one['image']}"

    with mutating("apps", "deployments", mirror):
        agent.desire(app, [deployment("web")])
        await agent.until_synced(app)
        assert (await look_again(agent, app))["sync"]["status"] == "Synced"


async def test_a_webhook_that_takes_a_desired_field_away_makes_no_difference(
    simulated: SimulatedCluster, agent: Agent, site: Site, app: str
) -> None:
    def strip(found: dict[str, Any]) -> None:
        (found.get("data") or {}).pop("forbidden", None)

    with mutating("", "configmaps", strip):
        agent.desire(app, [config_map("a", {"forbidden": "x", "a": "1"})])
        await agent.until_synced(app)
        assert (await look_again(agent, app))["sync"]["status"] == "Synced"


async def test_a_webhook_that_writes_something_else_each_time_starts_no_loop(
    simulated: SimulatedCluster, agent: Agent, site: Site, app: str
) -> None:
    with mutating("", "configmaps", stamps()):
        agent.desire(app, [config_map("a"), config_map("b")])
        await agent.until_synced(app)
        assert (await look_again(agent, app))["sync"]["status"] == "Synced"
        # Healing one writes it again, with another stamp: that is no drift of its own.
        await site.edit(CONFIG_MAP, "a", {"data": {"a": "edited"}})
        assert await site.until(CONFIG_MAP, "a", lambda live: live and live["data"]["a"] == "1")
        await agent.until_synced(app)
        await agent.settle(app)
        before = written(simulated, "configmaps")
        assert (await look_again(agent, app))["sync"]["status"] == "Synced"
        # Looked at again without a write, and without as much as a dry run.
        assert written(simulated, "configmaps") == before


async def test_a_webhook_that_writes_something_else_each_time_is_no_difference_in_a_dry_run_either(
    simulated: SimulatedCluster, agent: Agent, site: Site, app: str
) -> None:
    """A quantity written another way is what makes a dry run necessary."""
    wanted = deployment("web")
    container = wanted["spec"]["template"]["spec"]["containers"][0]
    container["resources"] = {"requests": {"cpu": "1000m"}}
    with mutating("apps", "deployments", stamps()):
        agent.desire(app, [wanted], sync={})
        agent.ask(app)
        await agent.until_synced(app)
        before = written(simulated, "deployments")
        assert (await look_again(agent, app))["sync"]["status"] == "Synced"
        assert written(simulated, "deployments") > before
        # And a field changed by hand is told from it.
        await site.edit(DEPLOYMENT, "web", {"spec": {"replicas": 4}})
        await agent.until(app, lambda document: document["sync"]["status"] == "OutOfSync")


async def test_a_webhook_that_spoils_a_desired_field_each_time_starts_no_loop(
    simulated: SimulatedCluster, agent: Agent, site: Site, app: str
) -> None:
    """The field that it writes is one that is desired, and never twice the same."""
    with mutating("", "configmaps", stamps()):
        wanted = config_map("a")
        wanted["metadata"]["annotations"] = {"stamped": "never"}
        agent.desire(app, [wanted])
        await agent.until_synced(app)
        await agent.settle(app)
        before = written(simulated, "configmaps")
        for _ in range(3):
            await look_again(agent, app)
            await agent.until_synced(app)
            await agent.settle(app)
        # Each look may cost a dry run and one heal; none of them the next one.
        assert written(simulated, "configmaps") - before <= 3 * 3


async def test_what_webhooks_would_change_counts_where_that_is_asked_for(
    simulated: SimulatedCluster, agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [config_map("a")], sync={}, annotations=COMPARE)
    agent.ask(app)
    await agent.until_synced(app)

    def label(found: dict[str, Any]) -> None:
        found["metadata"].setdefault("labels", {})["policy"] = "of-today"

    with mutating("", "configmaps", label):
        agent.refresh(app, hard=True)
        await agent.until(app, lambda document: document["sync"]["status"] == "OutOfSync")


async def test_quantities_nulls_and_empty_values_are_no_difference(
    agent: Agent, site: Site, app: str
) -> None:
    wanted = deployment("web")
    container = wanted["spec"]["template"]["spec"]["containers"][0]
    container["resources"] = {
        "requests": {"cpu": "1000m", "memory": "0.5Gi"},
        "limits": {"cpu": 2, "memory": "1024Mi"},
    }
    container |= {"env": [], "args": None, "securityContext": {}}
    wanted["spec"]["template"]["spec"] |= {"nodeSelector": {}, "tolerations": None}
    wanted["metadata"] |= {"creationTimestamp": None, "annotations": {}}
    wanted["status"] = {"replicas": 9}
    agent.desire(app, [wanted])
    document = await agent.until_synced(app)
    assert resources(document)["web"]["status"] == "Synced"
    assert (await look_again(agent, app))["sync"]["status"] == "Synced"


async def test_the_rules_of_an_aggregating_role_are_the_clusters(
    simulated: SimulatedCluster, agent: Agent, site: Site, app: str
) -> None:
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    role: dict[str, Any] = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": app},
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"aggregate-to": app}}]},
        "rules": [],
    }
    agent.desire(app, [role])
    await agent.until_synced(app)
    # As the control plane's controller does.
    await site.edit(CLUSTER_ROLE, app, {"rules": rules}, namespace="")
    assert (await look_again(agent, app))["sync"]["status"] == "Synced"
    role["aggregationRule"]["clusterRoleSelectors"] = [{"matchLabels": {"aggregate-to": f"{app}-too"}}]
    agent.desire(app, [role])
    await agent.until_synced(app)
    live = await site.get(CLUSTER_ROLE, app, "")
    assert live
    assert live["rules"] == rules
    await site.delete(CLUSTER_ROLE, app, "")
