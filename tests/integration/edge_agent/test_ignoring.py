"""What an application, or the hub for a whole cluster, asks not to be compared."""

from __future__ import annotations

from typing import Any

import pytest

from edge_agent.applications import ClusterSettings

from .site import CONFIG_MAP, DEPLOYMENT, Agent, Site, conditions, config_map, deployment, resources

REPLICAS = [
    {"jsonPointers": ["/spec/replicas"]},
    {"jqPathExpressions": [".spec.replicas"]},
    {"managedFieldsManagers": ["by-hand"]},
]
RESPECT = {
    "automated": {"prune": True, "selfHeal": True},
    "syncOptions": ["RespectIgnoreDifferences=true"],
}


def ignoring(rule: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"group": "apps", "kind": "Deployment", **rule}]


async def scale(site: Site, replicas: int) -> None:
    await site.edit(DEPLOYMENT, "web", {"spec": {"replicas": replicas}})


async def replicas(site: Site) -> int:
    live = await site.get(DEPLOYMENT, "web")
    assert live
    count: int = live["spec"]["replicas"]
    return count


@pytest.mark.parametrize("rule", REPLICAS)
async def test_an_ignored_field_is_no_drift_and_any_other_is(
    agent: Agent, site: Site, app: str, rule: dict[str, Any]
) -> None:
    agent.desire(app, [deployment("web", replicas=2)], ignoreDifferences=ignoring(rule))
    await agent.until_synced(app)
    await scale(site, 5)
    await agent.settle(app)
    # What comes after is seen after: once another field is healed, the ignored one was looked at. Healing
    # writes the whole object; only RespectIgnoreDifferences keeps the ignored field out of that.
    agent.refresh(app, hard=True)
    document = await agent.until_synced(app)
    assert resources(document)["web"]["status"] == "Synced"
    assert await replicas(site) == 5
    await site.edit(
        DEPLOYMENT, "web", {"spec": {"template": {"metadata": {"labels": {"app": "web", "x": "y"}}}}}
    )
    await site.edit(DEPLOYMENT, "web", {"spec": {"minReadySeconds": 3}})
    await agent.until_synced(app)
    assert await replicas(site) == 5


@pytest.mark.parametrize("rule", REPLICAS)
async def test_a_sync_that_respects_what_is_ignored_leaves_it_as_it_is(
    agent: Agent, site: Site, app: str, rule: dict[str, Any]
) -> None:
    agent.desire(app, [deployment("web", replicas=2)], ignoreDifferences=ignoring(rule), sync=RESPECT)
    await agent.until_synced(app)
    await scale(site, 5)
    agent.desire(
        app, [deployment("web", "shop/till:2", replicas=2)], ignoreDifferences=ignoring(rule), sync=RESPECT
    )
    await agent.until_synced(app)
    live = await site.get(DEPLOYMENT, "web")
    assert live
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "shop/till:2"
    assert live["spec"]["replicas"] == 5


async def test_an_item_that_a_jq_expression_selects_is_left_alone(agent: Agent, site: Site, app: str) -> None:
    rule = {"jqPathExpressions": ['.spec.template.spec.containers[] | select(.name == "web") | .args[1]']}
    wanted = deployment("web")
    wanted["spec"]["template"]["spec"]["containers"][0]["args"] = ["serve", "slow"]
    agent.desire(app, [wanted, config_map("a")], ignoreDifferences=ignoring(rule), sync=RESPECT)
    await agent.until_synced(app)
    by_hand = [{"name": "web", "image": "shop/till:1", "args": ["serve", "fast"]}]
    await site.edit(DEPLOYMENT, "web", {"spec": {"template": {"spec": {"containers": by_hand}}}})
    await site.edit(CONFIG_MAP, "a", {"data": {"a": "edited"}})
    await site.until(CONFIG_MAP, "a", lambda live: live and live["data"]["a"] == "1")
    await agent.until_synced(app)
    live = await site.get(DEPLOYMENT, "web")
    assert live
    assert live["spec"]["template"]["spec"]["containers"][0]["args"] == ["serve", "fast"]
    # And the item beside it is not.
    by_hand[0]["args"] = ["stop", "fast"]
    await site.edit(DEPLOYMENT, "web", {"spec": {"template": {"spec": {"containers": by_hand}}}})
    healed = await site.until(
        DEPLOYMENT,
        "web",
        lambda live: live and live["spec"]["template"]["spec"]["containers"][0]["args"][0] == "serve",
    )
    assert healed
    assert healed["spec"]["template"]["spec"]["containers"][0]["args"] == ["serve", "fast"]


@pytest.mark.parametrize("kind", ["apps/Deployment", "*/*", "all", "app*/Deploy*"])
async def test_the_hub_ignores_for_every_application_of_a_cluster(
    agent: Agent, site: Site, app: str, kind: str
) -> None:
    settings = ClusterSettings.of({"ignoreDifferences": {kind: {"jsonPointers": ["/spec/replicas"]}}})
    agent.applications.configure(settings)
    agent.desire(app, [deployment("web", replicas=2)])
    await agent.until_synced(app)
    await scale(site, 5)
    agent.refresh(app, hard=True)
    await agent.settle(app)
    await agent.until_synced(app)
    assert await replicas(site) == 5
    # Taken back, it is drift.
    agent.applications.configure(ClusterSettings())
    assert await site.until(DEPLOYMENT, "web", lambda live: live and live["spec"]["replicas"] == 2)


@pytest.mark.parametrize("expression", ["def f: f; f", ".spec | nope("])
async def test_an_expression_that_can_not_be_evaluated_is_said_and_nothing_is_healed_by_guess(
    agent: Agent, site: Site, app: str, expression: str
) -> None:
    rule = {"jqPathExpressions": [expression]}
    agent.desire(app, [deployment("web", replicas=2)], ignoreDifferences=ignoring(rule))
    await agent.until_synced(app)
    other = f"{app}-other"
    agent.desire(other, [config_map("a")])
    await scale(site, 5)
    document = await agent.until(app, lambda document: "ComparisonError" in conditions(document))
    assert expression in conditions(document)["ComparisonError"]
    assert resources(document)["web"]["status"] == "Unknown"
    # Another application goes on.
    await agent.until(other, lambda document: document["sync"]["status"] == "Synced")
    await site.edit(CONFIG_MAP, "a", {"data": {"a": "edited"}})
    assert await site.until(CONFIG_MAP, "a", lambda live: live and live["data"]["a"] == "1")
    await agent.settle(app)
    assert await replicas(site) == 5


async def test_an_extraneous_object_that_asks_so_is_no_reason_to_be_out_of_sync(
    agent: Agent, site: Site, app: str
) -> None:
    free = config_map("free", compare_options="IgnoreExtraneous", sync_options="Prune=false")
    agent.desire(app, [config_map("a"), free])
    await agent.until_synced(app)
    agent.desire(app, [config_map("a")])
    document = await agent.until_synced(app)
    assert resources(document)["free"]["status"] == "OutOfSync"
    assert resources(document)["free"]["requiresPruning"]
    assert await site.get(CONFIG_MAP, "free")
