"""What an agent says of its applications, and what that costs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .site import CONFIG_MAP, DEPLOYMENT, Agent, Site, config_map, deployment, resources, synced

if TYPE_CHECKING:
    from outrider_playground.kubernetes import SimulatedCluster


async def test_health_is_told_as_it_changes(
    agent: Agent, site: Site, app: str, simulated: SimulatedCluster
) -> None:
    agent.desire(app, [config_map("a"), deployment("web")])
    await agent.until(app, lambda document: document["health"]["status"] == "Progressing")
    document = await agent.until(app, lambda document: document["health"]["status"] == "Healthy")
    assert resources(document)["web"]["health"] == {"status": "Healthy"}
    agent.desire(app, [config_map("a"), deployment("web", "shop/till:broken")])
    document = await agent.until(
        app, lambda document: synced(document) and document["health"]["status"] == "Progressing"
    )
    assert document["summary"]["images"] == ["shop/till:broken"]


async def test_a_rollout_past_its_deadline_is_degraded(
    agent: Agent, site: Site, app: str, simulated: SimulatedCluster
) -> None:
    agent.desire(app, [deployment("web", "shop/till:broken", progressDeadlineSeconds=1)])
    document = await agent.until(app, lambda document: document["health"]["status"] == "Degraded")
    assert resources(document)["web"]["health"]["message"]
    assert synced(document)


async def test_nothing_is_said_twice(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a"), config_map("b")])
    await agent.until_synced(app)
    await agent.settle(app)
    said = [json.dumps(document, sort_keys=True) for _, document in agent.said]
    assert len(said) == len(set(said))
    worker = agent.applications._workers[app]
    assert worker.state.desired
    agent.applications.set_desired(worker.state.desired)
    agent.refresh(app, hard=True)
    await agent.settle(app)
    assert len(agent.said) == len(said)


async def test_a_document_is_the_same_whoever_asks_and_when(agent: Agent, app: str) -> None:
    agent.desire(app, [config_map("b"), config_map("a"), deployment("web")])
    document = await agent.until_synced(app)
    names = [(resource["group"], resource["kind"], resource["name"]) for resource in document["resources"]]
    assert names == sorted(names)
    assert agent.applications.document(app) == agent.said[-1][1]


async def test_changes_that_decide_nothing_start_nothing(
    agent: Agent, site: Site, app: str, simulated: SimulatedCluster
) -> None:
    agent.desire(app, [config_map("a")])
    await agent.until_synced(app)
    await agent.settle(app)
    await agent.until_watching(CONFIG_MAP)
    await agent.until_looked_around()
    asked, said = agent.cluster.requests, len(agent.said)
    for number in range(5):
        await site.edit(CONFIG_MAP, "a", {"metadata": {"annotations": {"seen": str(number)}}})
    inventory = agent.applications._around.inventory
    live = await site.get(CONFIG_MAP, "a")
    assert live
    key = site.key(CONFIG_MAP, "a")
    await agent.until_known(key, live["metadata"]["resourceVersion"])
    await agent.settle(app)
    assert inventory.get(key)
    assert agent.cluster.requests == asked
    assert len(agent.said) == said


async def test_an_idle_agent_asks_nothing(
    agent: Agent, site: Site, app: str, simulated: SimulatedCluster
) -> None:
    for number in range(10):
        agent.desire(f"{app}-{number}", [config_map(f"c{number}"), deployment(f"d{number}")])
    for number in range(10):
        await agent.until(f"{app}-{number}", lambda document: document["health"]["status"] == "Healthy")
        await agent.settle(f"{app}-{number}")
    await agent.until_watching(CONFIG_MAP, DEPLOYMENT)
    await agent.until_looked_around()
    before = simulated.requests.total()
    # Twenty seconds of the event loop's clock pass unless something is due before.
    pending = [handle for handle in agent.timers() if handle < 20.0]
    assert pending == []
    assert simulated.requests.total() == before
    # One watch per kind, whatever the number of applications.
    assert simulated.open_watches == 2


async def test_children_of_workloads_are_not_watched(
    agent: Agent, site: Site, app: str, simulated: SimulatedCluster
) -> None:
    agent.desire(app, [deployment("web")])
    await agent.until(app, lambda document: document["health"]["status"] == "Healthy")
    assert simulated.requests["watch", "pods"] == 0
    assert simulated.requests["watch", "replicasets"] == 0
