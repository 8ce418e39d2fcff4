"""The end of an application."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from edge_agent.applications import MemoryProgress, Settings

from .site import CONFIG_MAP, DEPLOYMENT, SERVICE, Agent, Site, conditions, config_map, deployment, running

if TYPE_CHECKING:
    from collections.abc import Callable

    from outrider_playground.kubernetes import SimulatedCluster

SERVICE_S = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "s"},
    "spec": {"ports": [{"port": 80, "protocol": "TCP"}]},
}


async def test_a_removal_that_cascades_deletes_every_object_and_says_when(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [config_map("a"), SERVICE_S, deployment("web")])
    await agent.until_synced(app)
    await site.create(config_map("theirs"))
    agent.remove(app, cascade=True)
    await agent.until_removed(app)
    assert agent.removed == [(app, (1, 2))]
    for kind, name in ((CONFIG_MAP, "a"), (SERVICE, "s"), (DEPLOYMENT, "web")):
        assert await site.get(kind, name) is None
    assert await site.get(CONFIG_MAP, "theirs")
    assert agent.store.values == {}
    assert agent.applications.document(app) is None
    assert list(agent.applications._around.watches.all()) == []


async def test_a_removal_that_does_not_cascade_leaves_every_object(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [config_map("a")])
    await agent.until_synced(app)
    before = await site.get(CONFIG_MAP, "a")
    agent.remove(app, cascade=False)
    await agent.until_removed(app)
    assert await site.get(CONFIG_MAP, "a") == before


async def test_an_object_that_must_not_be_deleted_stays(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a"), config_map("kept", sync_options="Delete=false")])
    await agent.until_synced(app)
    agent.remove(app, cascade=True)
    await agent.until_removed(app)
    assert await site.get(CONFIG_MAP, "a") is None
    assert await site.get(CONFIG_MAP, "kept")


async def test_a_removal_waits_for_what_a_finalizer_holds(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a")])
    await agent.until_synced(app)
    await site.edit(CONFIG_MAP, "a", {"metadata": {"finalizers": ["example.com/hold"]}})
    agent.remove(app, cascade=True)
    await agent.until(
        app, lambda document: document["resources"][0].get("health", {}).get("message") == "is being deleted"
    )
    assert agent.removed == []
    await site.edit(CONFIG_MAP, "a", {"metadata": {"finalizers": None}})
    await agent.until_removed(app)


async def test_a_removal_goes_on_after_a_restart(site: Site, settings: Settings, app: str) -> None:
    store = MemoryProgress()
    async with running(site, settings, store) as agent:
        agent.desire(app, [config_map("a"), SERVICE_S])
        await agent.until_synced(app)
    async with running(site, settings, store) as agent:
        agent._generation = 1
        agent.remove(app, cascade=True)
        await agent.until_removed(app)
    assert await site.get(CONFIG_MAP, "a") is None
    assert await site.get(SERVICE, "s") is None


async def test_an_application_that_the_agent_never_knew_is_removed_by_its_marks(
    site: Site, settings: Settings, app: str
) -> None:
    async with running(site, settings) as agent:
        agent.desire(app, [config_map("a"), SERVICE_S])
        await agent.until_synced(app)
    async with running(site, settings) as agent:
        agent._generation = 1
        agent.remove(app, cascade=True)
        await agent.until_removed(app)
    assert await site.get(CONFIG_MAP, "a") is None
    assert await site.get(SERVICE, "s") is None


async def test_an_application_desired_again_while_it_is_removed_stays(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [config_map("a")])
    await agent.until_synced(app)
    await site.edit(CONFIG_MAP, "a", {"metadata": {"finalizers": ["example.com/hold"]}})
    agent.remove(app, cascade=True)
    await agent.until(app, lambda document: "health" in document["resources"][0])
    agent.desire(app, [config_map("b")])
    await site.edit(CONFIG_MAP, "a", {"metadata": {"finalizers": None}})
    document = await agent.until_synced(app)
    assert [resource["name"] for resource in document["resources"]] == ["b"]
    assert agent.removed == []


async def test_a_removal_that_lacks_a_right_says_so_and_goes_on_when_it_has_it(
    agent: Agent, site: Site, app: str, simulated: SimulatedCluster
) -> None:
    agent.desire(app, [config_map("a")])
    await agent.until_synced(app)
    rule = simulated.faults.forbid("delete", "configmaps")
    agent.remove(app, cascade=True)
    document = await agent.until(app, lambda document: "DeletionError" in conditions(document))
    assert "delete" in conditions(document)["DeletionError"]
    simulated.faults.remove(rule)
    await agent.until_removed(app)
    assert await site.get(CONFIG_MAP, "a") is None


async def test_an_older_removal_is_ignored(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a")])
    agent.desire(app, [config_map("a")])
    await agent.until_synced(app)
    agent.applications.remove(app, "uid", cascade=True, generation=(1, 1))
    agent.desire(app, [config_map("a", {"v": "3"})])
    await agent.until_synced(app)
    assert agent.removed == []
    assert await site.get(CONFIG_MAP, "a")


class Interrupted(MemoryProgress):
    """Lets something happen at the very end of a removal, when its progress is dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], object] = lambda: None

    async def delete(self, app: str) -> None:
        await super().delete(app)
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()


@pytest.mark.parametrize("cascade", [True, False])
async def test_what_wakes_an_application_at_its_very_end_does_not_end_it_twice(
    site: Site, settings: Settings, app: str, *, cascade: bool
) -> None:
    store = Interrupted()
    async with running(site, settings, store) as agent:
        agent.desire(app, [config_map("a")])
        await agent.until_synced(app)
        # As the watch does that tells of the last object's deletion.
        store.meanwhile = agent.applications._workers[app].wake
        agent.remove(app, cascade=cascade)
        await agent.until_removed(app)
        said = len(agent.said)
        agent.desire(f"{app}-other", [config_map("b")])
        await agent.until_synced(f"{app}-other")
        # Nothing more is said of what is gone.
        assert app not in [name for name, _ in agent.said[said:]]
        agent.desire(app, [config_map("a", {"a": "again"})])
        document = await agent.until_synced(app)
        assert document["conditions"] == []
        assert agent.removed == [(app, (1, 2))]
        await site.edit(CONFIG_MAP, "a", {"data": {"a": "edited"}})
        assert await site.until(CONFIG_MAP, "a", lambda live: live and live["data"]["a"] == "again")


async def test_an_end_that_is_told_again_while_it_is_carried_out_is_said_to_be_done(
    site: Site, settings: Settings, app: str
) -> None:
    """The hub signs its records again, when it was restored say: the newest must be answered, or it waits for ever."""
    store = Interrupted()
    async with running(site, settings, store) as agent:
        agent.desire(app, [config_map("a")])
        await agent.until_synced(app)
        store.meanwhile = lambda: agent.remove(app, cascade=True)
        agent.remove(app, cascade=True)
        async with asyncio.timeout(20):
            while (app, (1, 3)) not in agent.removed:
                agent._heard.clear()
                await agent._heard.wait()
        assert agent.applications.names() == []
