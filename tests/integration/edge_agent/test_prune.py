"""What happens to what is no longer desired."""

from __future__ import annotations

from .site import (
    CONFIG_MAP,
    Agent,
    Site,
    conditions,
    config_map,
    finished,
    resources,
    results,
    synced,
)


async def test_what_left_the_bundle_is_pruned(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a"), config_map("b")])
    await agent.until_synced(app)
    agent.desire(app, [config_map("a")])
    document = await agent.until(app, lambda document: synced(document) and "b" not in resources(document))
    assert results(document)["b"] == ("Pruned", "pruned")
    assert await site.get(CONFIG_MAP, "b") is None
    assert await site.get(CONFIG_MAP, "a")


async def test_a_kind_that_left_the_bundle_altogether_is_pruned(agent: Agent, site: Site, app: str) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s"},
        "spec": {"ports": [{"port": 80, "protocol": "TCP"}]},
    }
    agent.desire(app, [config_map("a"), service])
    await agent.until_synced(app)
    agent.desire(app, [service])
    await agent.until(app, lambda document: synced(document) and "a" not in resources(document))
    assert await site.get(CONFIG_MAP, "a") is None


async def test_without_prune_it_is_reported_and_left(agent: Agent, site: Site, app: str) -> None:
    sync = {"automated": {"selfHeal": True}}
    agent.desire(app, [config_map("a"), config_map("b")], sync=sync)
    await agent.until_synced(app)
    agent.desire(app, [config_map("a")], sync=sync)
    document = await agent.until(app, lambda document: document["sync"]["status"] == "OutOfSync")
    assert resources(document)["b"]["requiresPruning"] is True
    await agent.settle(app)
    assert await site.get(CONFIG_MAP, "b")
    agent.ask(app, prune=True)
    await agent.until(app, lambda document: synced(document) and "b" not in resources(document))
    assert await site.get(CONFIG_MAP, "b") is None


async def test_an_object_that_must_not_be_pruned_stays(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a"), config_map("b", sync_options="Prune=false")])
    await agent.until_synced(app)
    agent.desire(app, [config_map("a", {"a": "2"})])
    document = await agent.until(
        app, lambda document: finished(document) and document["sync"]["revision"] == "r2"
    )
    assert results(document)["b"] == ("PruneSkipped", "Prune=false on it")
    assert resources(document)["b"]["requiresPruning"] is True
    assert await site.get(CONFIG_MAP, "b")


async def test_an_empty_bundle_prunes_nothing(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a")])
    await agent.until_synced(app)
    agent.desire(app, [])
    document = await agent.until(app, lambda document: "SyncError" in conditions(document))
    assert "allowEmpty" in conditions(document)["SyncError"]
    assert document["sync"]["status"] == "OutOfSync"
    agent.ask(app, prune=True)
    await agent.until(app, lambda document: document["operationState"]["phase"] == "Failed")
    await agent.settle(app)
    assert await site.get(CONFIG_MAP, "a")


async def test_an_empty_bundle_prunes_everything_where_that_is_allowed(
    agent: Agent, site: Site, app: str
) -> None:
    sync = {"automated": {"prune": True, "selfHeal": True, "allowEmpty": True}}
    agent.desire(app, [config_map("a")], sync=sync)
    await agent.until_synced(app)
    agent.desire(app, [], sync=sync)
    await agent.until(app, lambda document: synced(document) and not document["resources"])
    assert await site.get(CONFIG_MAP, "a") is None


async def test_a_copy_of_an_object_labels_and_all_is_never_pruned(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a")])
    await agent.until_synced(app)
    live = await site.get(CONFIG_MAP, "a")
    assert live
    copy = config_map("copy")
    copy["metadata"] |= {"labels": live["metadata"]["labels"], "annotations": live["metadata"]["annotations"]}
    await site.create(copy)
    agent.desire(app, [config_map("a", {"a": "2"})])
    document = await agent.until_synced(app)
    assert "copy" not in resources(document)
    assert await site.get(CONFIG_MAP, "copy")


async def test_what_nobody_tracks_is_never_touched(agent: Agent, site: Site, app: str) -> None:
    before = await site.create(config_map("theirs"))
    agent.desire(app, [config_map("a")])
    await agent.until_synced(app)
    agent.desire(app, [config_map("b")])
    await agent.until(app, lambda document: synced(document) and "a" not in resources(document))
    assert await site.get(CONFIG_MAP, "theirs") == before


async def test_nothing_is_pruned_when_something_could_not_be_applied(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [config_map("a"), config_map("b")])
    await agent.until_synced(app)
    agent.desire(app, [config_map("a") | {"bogus": 1}])
    await agent.until(app, lambda document: document["operationState"]["phase"] == "Failed")
    await agent.settle(app)
    assert await site.get(CONFIG_MAP, "b")
    assert await site.get(CONFIG_MAP, "a")


async def test_an_object_held_by_a_finalizer_is_shown_until_it_is_gone(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [config_map("a"), config_map("b")])
    await agent.until_synced(app)
    await site.edit(CONFIG_MAP, "b", {"metadata": {"finalizers": ["example.com/hold"]}})
    agent.desire(app, [config_map("a")])
    document = await agent.until(
        app,
        lambda document: (
            resources(document).get("b", {}).get("health", {}).get("message") == "is being deleted"
        ),
    )
    assert document["sync"]["status"] == "OutOfSync"
    await site.edit(CONFIG_MAP, "b", {"metadata": {"finalizers": None}})
    await agent.until(app, lambda document: synced(document) and "b" not in resources(document))
