"""Hooks on a cluster: run once, in their phase, and deleted as they say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.applications import MemoryProgress, Selector, Settings
from edge_agent.cluster import Kind

from .site import (
    CONFIG_MAP,
    DEPLOYMENT,
    Agent,
    Site,
    config_map,
    deployment,
    failed,
    finished,
    resources,
    results,
    running,
    synced,
)

if TYPE_CHECKING:
    from outrider_playground.kubernetes import SimulatedCluster

JOB = Kind("batch", "v1", "Job")
GOOD, BAD = "shop/migrate:1", "shop/migrate:failing"
# Automated, and not tried again.
ONCE = {"automated": {}, "retry": {"limit": 0}}


def job(
    name: str, hook: str = "", image: str = GOOD, *, generated: bool = False, **annotations: str
) -> dict[str, Any]:
    """A Job, as a hook; annotations are Argo CD's, by their last part."""
    notes = {f"argocd.argoproj.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
    if hook:
        notes["argocd.argoproj.io/hook"] = hook
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"generateName" if generated else "name": name, "annotations": notes},
        "spec": {
            "backoffLimit": 0,
            "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "do", "image": image}]}},
        },
    }


async def jobs(site: Site) -> dict[str, dict[str, Any]]:
    """Return the Jobs of the test's namespace by name."""
    resource = await site.cluster.discovery.resource(JOB)
    return {
        live["metadata"]["name"]: live
        async for page in site.cluster.pages(resource)
        for live in page.objects
        if live["metadata"]["namespace"] == site.namespace
    }


def hook_phases(document: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Return hook and state by object name of the last sync."""
    return {
        one["name"]: (one["hookType"], one["hookPhase"])
        for one in document["operationState"]["syncResult"]["resources"]
        if "hookType" in one
    }


async def test_hooks_run_in_their_phases_and_count_neither_for_status_nor_for_health(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(
        app,
        [
            job("before-", "PreSync", generated=True),
            deployment("web"),
            job("beside", "Sync"),
            job("after", "PostSync"),
            job("broken", "SyncFail"),
        ],
    )
    document = await agent.until(app, lambda document: finished(document) and synced(document))
    assert document["operationState"]["phase"] == "Succeeded"
    found = await jobs(site)
    (before,) = (name for name in found if name.startswith("before-"))
    assert set(found) == {before, "beside", "after"}
    assert hook_phases(document) == {
        before: ("PreSync", "Succeeded"),
        "beside": ("Sync", "Succeeded"),
        "after": ("PostSync", "Succeeded"),
    }
    times = {name: live["status"]["completionTime"] for name, live in found.items()}
    assert times[before] <= times["beside"] <= times["after"]
    assert set(resources(document)) == {"web"}
    assert document["health"]["status"] == "Healthy"


async def test_a_post_sync_hook_waits_until_everything_is_healthy(
    agent: Agent, site: Site, app: str, simulated: SimulatedCluster
) -> None:
    agent.desire(app, [deployment("web", "shop/till:broken"), job("after", "PostSync")])
    await agent.until(
        app, lambda document: "wave 0 waits" in document.get("operationState", {}).get("message", "")
    )
    assert await jobs(site) == {}
    agent.desire(app, [deployment("web", "shop/till:2"), job("after", "PostSync")])
    await agent.until_synced(app)
    await agent.until(app, finished)
    assert set(await jobs(site)) == {"after"}


async def test_a_failed_pre_sync_hook_keeps_everything_else_as_it_was(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [job("check", "PreSync", BAD), config_map("a"), job("tell", "SyncFail")], sync=ONCE)
    document = await agent.until(app, failed)
    assert "PreSync hook Job check failed" in document["operationState"]["message"]
    assert hook_phases(document) == {"check": ("PreSync", "Failed"), "tell": ("SyncFail", "Succeeded")}
    assert results(document)["a"] == ("SyncSkipped", "left as it was")
    assert await site.get(CONFIG_MAP, "a") is None


async def test_hooks_are_deleted_by_how_the_sync_ended(agent: Agent, site: Site, app: str) -> None:
    hooks = [
        job("on-success", "PreSync", hook_delete_policy="HookSucceeded"),
        job("on-failure", "PreSync", hook_delete_policy="HookFailed"),
        job("stays", "PreSync"),
    ]
    agent.desire(app, [*hooks, config_map("a"), job("last", "PostSync", BAD)], sync=ONCE)
    await agent.until(app, failed)
    await site.until(JOB, "on-failure", lambda live: live is None)
    assert set(await jobs(site)) == {"on-success", "stays", "last"}
    agent.desire(app, [*hooks, config_map("a", {"v": "2"}), job("last", "PostSync")], sync=ONCE)
    await agent.until(app, lambda document: document["operationState"]["phase"] == "Succeeded")
    await site.until(JOB, "on-success", lambda live: live is None)
    assert set(await jobs(site)) == {"on-failure", "stays", "last"}


async def test_a_hook_runs_anew_in_each_sync(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a"), job("check", "PreSync"), job("g-", "PreSync", generated=True)])
    await agent.until(app, finished)
    before = await jobs(site)
    assert len(before) == 2
    agent.desire(
        app, [config_map("a", {"v": "2"}), job("check", "PreSync"), job("g-", "PreSync", generated=True)]
    )
    await agent.until_synced(app)
    after = await jobs(site)
    assert len(after) == 3
    assert after["check"]["metadata"]["uid"] != before["check"]["metadata"]["uid"]


async def test_hooks_run_neither_for_a_heal_nor_for_selected_resources(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [config_map("a"), config_map("b"), job("check", "PreSync")])
    await agent.until(app, finished)
    before = await jobs(site)
    await site.edit(CONFIG_MAP, "a", {"data": {"a": "edited"}})
    await site.until(CONFIG_MAP, "a", lambda live: live and live["data"]["a"] == "1")
    agent.ask(app, resources=(Selector("", "ConfigMap", "b"),))
    await agent.until(app, lambda document: finished(document) and set(results(document)) == {"b"})
    assert await jobs(site) == before


async def test_a_sync_of_objects_alone_runs_no_hook(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a"), job("check", "PreSync")], sync={})
    agent.ask(app, strategy="apply")
    await agent.until_synced(app)
    assert await jobs(site) == {}


async def test_the_next_wave_is_held_back_for_the_pause(site: Site, settings: Settings, app: str) -> None:
    async with running(site, replace(settings, wave_delay_s=3600.0)) as agent:
        agent.desire(app, [config_map("first", sync_wave="-1"), config_map("second")])
        await agent.until(
            app, lambda document: "pauses" in document.get("operationState", {}).get("message", "")
        )
        assert await site.get(CONFIG_MAP, "first")
        assert await site.get(CONFIG_MAP, "second") is None
        assert 3500 < max(agent.timers()) <= 3600


async def test_a_dry_run_runs_no_hook(agent: Agent, site: Site, app: str) -> None:
    agent.desire(
        app, [config_map("a"), job("check", "PreSync"), job("g-", "PostSync", generated=True)], sync={}
    )
    agent.ask(app, dry_run=True)
    document = await agent.until(app, finished)
    assert document["operationState"]["phase"] == "Succeeded"
    assert await jobs(site) == {}


async def test_a_hook_that_left_the_bundle_is_no_drift(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a"), job("check", "PreSync")])
    await agent.until(app, finished)
    agent.desire(app, [config_map("a", {"v": "2"})])
    document = await agent.until_synced(app)
    assert set(resources(document)) == {"a"}
    assert set(await jobs(site)) == {"check"}


async def test_helms_hooks_run_as_argo_cd_maps_them(agent: Agent, site: Site, app: str) -> None:
    def helm(name: str, hook: str, weight: str = "0") -> dict[str, Any]:
        found = job(name)
        found["metadata"]["annotations"] = {"helm.sh/hook": hook, "helm.sh/hook-weight": weight}
        return found

    agent.desire(
        app,
        [
            helm("pre", "pre-install,pre-upgrade", "-5"),
            helm("post", "post-upgrade,post-install"),
            helm("test", "test"),
            config_map("a"),
        ],
    )
    document = await agent.until(app, lambda document: finished(document) and synced(document))
    assert hook_phases(document) == {"pre": ("PreSync", "Succeeded"), "post": ("PostSync", "Succeeded")}


async def test_a_hook_of_two_phases_runs_twice_in_a_sync(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a"), job("check", "PreSync,PostSync")])
    document = await agent.until(app, finished)
    assert document["operationState"]["phase"] == "Succeeded"
    phases = [
        one["hookType"]
        for one in document["operationState"]["syncResult"]["resources"]
        if one["name"] == "check"
    ]
    assert sorted(phases) == ["PostSync", "PreSync"]


async def test_hooks_in_a_namespace_of_the_bundle_wait_for_it(agent: Agent, site: Site, app: str) -> None:
    name = f"{site.namespace}-own"
    own = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    first = job("first", "PreSync", sync_wave="-3")
    first["metadata"]["namespace"] = name
    agent.desire(app, [own, first])
    try:
        document = await agent.until(app, finished)
        assert document["operationState"]["phase"] == "Succeeded"
        assert await site.get(JOB, "first", name)
    finally:
        await site.delete(Kind("", "v1", "Namespace"), name, "")


async def test_a_hook_whose_object_is_gone_before_it_ended_fails_the_sync(
    agent: Agent, site: Site, app: str, simulated: SimulatedCluster
) -> None:
    stuck = job("stuck", "PreSync")
    stuck["spec"]["suspend"] = True
    agent.desire(app, [stuck, config_map("a")], sync=ONCE)
    await agent.until(
        app, lambda document: "hook Job stuck" in document.get("operationState", {}).get("message", "")
    )
    await site.delete(JOB, "stuck")
    document = await agent.until(app, failed)
    assert "was deleted before it was seen to end" in document["operationState"]["message"]


async def test_a_hook_of_a_sync_that_was_given_up_is_stopped(agent: Agent, site: Site, app: str) -> None:
    stuck = job("stuck-", "PreSync", generated=True)
    stuck["spec"]["suspend"] = True
    agent.desire(app, [stuck, config_map("a")])
    await agent.until(
        app, lambda document: "hook Job stuck-" in document.get("operationState", {}).get("message", "")
    )
    (name,) = await jobs(site)
    agent.desire(app, [config_map("a")])
    await agent.until_synced(app)
    await site.until(JOB, name, lambda live: live is None)


@pytest.mark.parametrize("image", [GOOD, BAD])
async def test_no_hook_runs_twice_in_a_sync_whenever_the_agent_dies(
    site: Site, settings: Settings, app: str, image: str
) -> None:
    """Every life ends some steps of the event loop later than the last; what each Job of the sync did is counted by
    the server's own record of creations.
    """
    made: dict[str, set[str]] = {}

    async def count() -> None:
        for name, live in (await jobs(site)).items():
            made.setdefault(name.partition("-")[0], set()).add(live["metadata"]["uid"])

    store = MemoryProgress()
    hooks = [
        job("pre-", "PreSync", generated=True),
        job("named", "PreSync"),
        job("sync-", "Sync", image, generated=True),
        job("post-", "PostSync", generated=True),
        job("fail-", "SyncFail", generated=True),
    ]
    import asyncio

    for life in range(400):
        async with running(site, settings, store) as agent:
            agent.desire(app, [*hooks, deployment("web")], sync=ONCE)
            for _ in range(life * 7):
                await asyncio.sleep(0)
            document = agent.applications.document(app)
        await count()
        if document and finished(document):
            break
    assert document
    assert finished(document), (life, document, made)
    wanted = {"pre", "named", "sync"} | ({"post"} if image == GOOD else {"fail"})
    assert {name: len(uids) for name, uids in made.items()} == dict.fromkeys(wanted, 1)
    assert await site.get(DEPLOYMENT, "web")
