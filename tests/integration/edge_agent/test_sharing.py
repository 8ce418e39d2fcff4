"""Objects that more than one application wants."""

from __future__ import annotations

from .site import CONFIG_MAP, Agent, Site, conditions, config_map, failed, resources, results, synced


async def test_a_shared_object_is_reported_and_the_last_writer_has_it(
    agent: Agent, site: Site, app: str
) -> None:
    first, second = f"{app}-one", f"{app}-two"
    agent.desire(first, [config_map("shared", {"by": "one"})])
    await agent.until_synced(first)
    agent.desire(second, [config_map("shared", {"by": "two"})])
    await agent.until_synced(second)
    document = await agent.until(first, lambda document: "SharedResourceWarning" in conditions(document))
    assert first in conditions(document)["SharedResourceWarning"]
    assert second in conditions(document)["SharedResourceWarning"]
    assert resources(document)["shared"]["status"] == "OutOfSync"
    live = await site.get(CONFIG_MAP, "shared")
    assert live
    assert live["data"] == {"by": "two"}


async def test_two_applications_do_not_take_an_object_from_each_other_for_ever(
    agent: Agent, site: Site, app: str
) -> None:
    first, second = f"{app}-one", f"{app}-two"
    for name in (first, second):
        agent.desire(name, [config_map("shared", {"by": name}), config_map(name)])
    for name in (first, second):
        await agent.until(
            name, lambda document: document.get("operationState", {}).get("phase") == "Succeeded"
        )
    await agent.until(
        first, lambda document: synced(document) or "SharedResourceWarning" in conditions(document)
    )
    for name in (first, second):
        await agent.settle(name)
    before = await site.get(CONFIG_MAP, "shared")
    for name in (first, second):
        await site.edit(CONFIG_MAP, name, {"data": {"a": "edited"}})
        await site.until(CONFIG_MAP, name, lambda live: live and live["data"]["a"] == "1")
        await agent.settle(name)
    assert await site.get(CONFIG_MAP, "shared") == before


async def test_an_object_of_another_application_is_refused_where_that_is_asked_for(
    agent: Agent, site: Site, app: str
) -> None:
    first, second = f"{app}-one", f"{app}-two"
    agent.desire(first, [config_map("shared", {"by": "one"})])
    await agent.until_synced(first)
    sync = {"automated": {}, "syncOptions": ["FailOnSharedResource=true"]}
    agent.desire(second, [config_map("shared", {"by": "two"}), config_map("own")], sync=sync)
    document = await agent.until(second, failed)
    assert first in results(document)["shared"][1]
    assert results(document)["own"][0] == "SyncSkipped"
    live = await site.get(CONFIG_MAP, "shared")
    assert live
    assert live["data"] == {"by": "one"}


async def test_an_object_that_moves_to_another_application_is_not_deleted_on_the_way(
    agent: Agent, site: Site, app: str
) -> None:
    first, second = f"{app}-one", f"{app}-two"
    agent.desire(first, [config_map("moves"), config_map("stays")])
    await agent.until_synced(first)
    before = await site.get(CONFIG_MAP, "moves")
    assert before
    agent.desire(second, [config_map("moves")])
    agent.desire(first, [config_map("stays")])
    await agent.until(second, synced)
    await agent.until(first, lambda document: synced(document) and "moves" not in resources(document))
    live = await site.get(CONFIG_MAP, "moves")
    assert live
    assert live["metadata"]["uid"] == before["metadata"]["uid"]


async def test_removing_one_application_leaves_the_objects_of_another(
    agent: Agent, site: Site, app: str
) -> None:
    first, second = f"{app}-one", f"{app}-two"
    agent.desire(first, [config_map("one")])
    agent.desire(second, [config_map("two")])
    await agent.until(first, synced)
    await agent.until(second, synced)
    agent.remove(first, cascade=True)
    await agent.until_removed(first)
    assert await site.get(CONFIG_MAP, "one") is None
    assert await site.get(CONFIG_MAP, "two")
