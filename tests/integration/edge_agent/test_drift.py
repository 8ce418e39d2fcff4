"""What happens to what somebody changes by hand."""

from __future__ import annotations

import asyncio

from .site import (
    CONFIG_MAP,
    DEPLOYMENT,
    PATIENCE_S,
    SERVICE,
    Agent,
    Site,
    config_map,
    deployment,
    resources,
    results,
)

NO_HEALING = {"automated": {"prune": True}}


async def test_an_edited_field_is_healed_at_once(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a", {"x": "1"}), config_map("b")])
    await agent.until_synced(app)
    await site.edit(CONFIG_MAP, "a", {"data": {"x": "edited"}})
    live = await site.until(CONFIG_MAP, "a", lambda live: live and live["data"]["x"] == "1")
    assert live
    document = await agent.until_synced(app)
    # Healed alone: the sync was about nothing else.
    assert results(document) == {"a": ("Synced", "configured")}


async def test_a_deleted_object_comes_back(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a")])
    await agent.until_synced(app)
    before = await site.get(CONFIG_MAP, "a")
    assert before
    await site.delete(CONFIG_MAP, "a")
    live = await site.until(
        CONFIG_MAP, "a", lambda live: live and live["metadata"]["uid"] != before["metadata"]["uid"]
    )
    assert live


async def test_an_object_that_lost_its_label_is_labelled_again(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a")])
    await agent.until_synced(app)
    await site.edit(CONFIG_MAP, "a", {"metadata": {"labels": {"app.outrider.dev/name": None}}})
    live = await site.until(
        CONFIG_MAP,
        "a",
        lambda live: live and live["metadata"].get("labels", {}).get("app.outrider.dev/name") == app,
    )
    assert live


async def test_what_others_add_is_left_alone(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a")])
    await agent.until_synced(app)
    said = len(agent.said)
    edited = await site.edit(
        CONFIG_MAP, "a", {"data": {"theirs": "1"}, "metadata": {"annotations": {"note": "x"}}}
    )
    # What comes after is seen after: once this is healed, the addition was looked at.
    await site.edit(CONFIG_MAP, "a", {"data": {"a": "edited"}})
    live = await site.until(CONFIG_MAP, "a", lambda live: live and live["data"]["a"] == "1")
    assert live
    assert live["data"]["theirs"] == "1"
    assert live["metadata"]["annotations"]["note"] == "x"
    assert edited
    await agent.until_synced(app)
    assert len(agent.said) > said


async def test_drift_without_self_heal_is_reported_and_left(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a")], sync=NO_HEALING)
    await agent.until_synced(app)
    await site.edit(CONFIG_MAP, "a", {"data": {"a": "edited"}})
    document = await agent.until(app, lambda document: document["sync"]["status"] == "OutOfSync")
    assert resources(document)["a"]["status"] == "OutOfSync"
    await agent.settle(app)
    live = await site.get(CONFIG_MAP, "a")
    assert live
    assert live["data"] == {"a": "edited"}


async def test_drift_that_is_put_right_by_hand_is_in_sync_again(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a")], sync=NO_HEALING)
    await agent.until_synced(app)
    await site.edit(CONFIG_MAP, "a", {"data": {"a": "edited"}})
    await agent.until(app, lambda document: document["sync"]["status"] == "OutOfSync")
    await site.edit(CONFIG_MAP, "a", {"data": {"a": "1"}})
    await agent.until_synced(app)


async def test_a_deletion_without_self_heal_is_reported_as_missing(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [config_map("a"), config_map("b")], sync=NO_HEALING)
    await agent.until_synced(app)
    await site.delete(CONFIG_MAP, "a")
    document = await agent.until(app, lambda document: document["sync"]["status"] == "OutOfSync")
    assert resources(document)["a"]["health"] == {"status": "Missing"}
    assert document["health"] == {"status": "Healthy"}


async def test_a_new_revision_is_synced_without_self_heal_too(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a")], sync=NO_HEALING)
    await agent.until_synced(app)
    await site.edit(CONFIG_MAP, "a", {"data": {"a": "edited"}})
    await agent.until(app, lambda document: document["sync"]["status"] == "OutOfSync")
    agent.desire(app, [config_map("a", {"a": "2"})], sync=NO_HEALING)
    await agent.until_synced(app)
    live = await site.get(CONFIG_MAP, "a")
    assert live
    assert live["data"] == {"a": "2"}


async def test_an_item_whose_key_was_changed_is_changed_back(agent: Agent, site: Site, app: str) -> None:
    """Server-side apply would add the desired port beside the edited one, which the server refuses."""
    ports = [{"name": "http", "port": 80}]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": ports}}
    agent.desire(app, [service])
    await agent.until_synced(app)
    await site.edit(SERVICE, "s", {"spec": {"ports": [{"name": "http", "port": 8080}]}})
    live = await site.until(SERVICE, "s", lambda live: live and live["spec"]["ports"][0]["port"] == 80)
    assert live
    assert len(live["spec"]["ports"]) == 1
    document = await agent.until_synced(app)
    assert document["operationState"]["phase"] == "Succeeded"


async def test_a_workload_scaled_by_hand_is_scaled_back(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [deployment("web", replicas=2)])
    await agent.until_synced(app)
    await site.edit(DEPLOYMENT, "web", {"spec": {"replicas": 5}})
    assert await site.until(DEPLOYMENT, "web", lambda live: live and live["spec"]["replicas"] == 2)


async def test_a_workload_whose_replicas_are_not_desired_may_be_scaled(
    agent: Agent, site: Site, app: str
) -> None:
    free = deployment("web")
    del free["spec"]["replicas"]
    agent.desire(app, [free, config_map("a")])
    await agent.until_synced(app)
    await site.edit(DEPLOYMENT, "web", {"spec": {"replicas": 3}})
    await site.edit(CONFIG_MAP, "a", {"data": {"a": "edited"}})
    await site.until(CONFIG_MAP, "a", lambda live: live and live["data"]["a"] == "1")
    await agent.settle(app)
    live = await site.get(DEPLOYMENT, "web")
    assert live
    assert live["spec"]["replicas"] == 3


async def test_a_burst_of_edits_ends_as_desired(agent: Agent, site: Site, app: str) -> None:
    names = [f"c{number}" for number in range(10)]
    agent.desire(app, [config_map(name) for name in names])
    await agent.until_synced(app)
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
        for name in names:
            for value in ("x", "y", "z"):
                tasks.create_task(site.edit(CONFIG_MAP, name, {"data": {"a": value}}))
    for name in names:
        assert await site.until(CONFIG_MAP, name, lambda live: live and live["data"] == {"a": "1"})
