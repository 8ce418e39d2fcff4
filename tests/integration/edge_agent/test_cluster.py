"""The adapter to the Kubernetes API."""

from __future__ import annotations

import asyncio
import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.cluster import (
    Access,
    Cluster,
    ClusterError,
    Conflict,
    Expired,
    Forbidden,
    InvalidObject,
    Key,
    Kind,
    Limits,
    NotFound,
    Object,
    Pace,
    Resource,
    Throttled,
    Transient,
    Unavailable,
    UnknownKind,
    follow,
)
from outrider.backoff import Backoff

from .site import CONFIG_MAP, DEPLOYMENT, PATIENCE_S, Site, config_map, deployment

if TYPE_CHECKING:
    from pathlib import Path

    from outrider_playground.kubernetes import SimulatedCluster

LABEL = "outrider-test"


def labelled(site: Site, name: str, **data: str) -> dict[str, Any]:
    manifest = config_map(name, data or None, namespace=site.namespace)
    manifest["metadata"]["labels"] = {LABEL: site.namespace}
    return manifest


async def test_an_object_is_applied_read_and_deleted(site: Site) -> None:
    key = site.key(CONFIG_MAP, "a")
    first = await site.cluster.apply(CONFIG_MAP, key, config_map("a"))
    again = await site.cluster.apply(CONFIG_MAP, key, config_map("a"))
    assert (first.created, again.created) == (True, False)
    live = await site.cluster.get(CONFIG_MAP, key)
    assert live["metadata"]["resourceVersion"] == again.object["metadata"]["resourceVersion"]
    await site.cluster.delete(CONFIG_MAP, key, uid=live["metadata"]["uid"])
    with pytest.raises(NotFound, match="a"):
        await site.cluster.get(CONFIG_MAP, key)


async def test_a_dry_run_changes_nothing(site: Site) -> None:
    applied = await site.cluster.apply(CONFIG_MAP, site.key(CONFIG_MAP, "a"), config_map("a"), dry_run=True)
    assert applied.created
    assert await site.get(CONFIG_MAP, "a") is None


async def test_an_apply_takes_over_what_others_hold(site: Site) -> None:
    await site.create(config_map("a", {"x": "theirs"}))
    await site.cluster.apply(CONFIG_MAP, site.key(CONFIG_MAP, "a"), config_map("a", {"x": "ours"}))
    live = await site.get(CONFIG_MAP, "a")
    assert live
    assert live["data"] == {"x": "ours"}


async def test_what_is_wrong_with_an_object_is_said_by_its_fields(site: Site) -> None:
    broken = deployment("web", replicas="two", bogus=1)
    with pytest.raises(InvalidObject) as caught:
        await site.cluster.apply(DEPLOYMENT, site.key(DEPLOYMENT, "web"), broken)
    fields = {cause.field for cause in caught.value.causes}
    assert "spec.replicas" in fields
    assert "web" in str(caught.value)


async def test_only_the_very_object_is_deleted(site: Site) -> None:
    await site.create(config_map("a"))
    live = await site.get(CONFIG_MAP, "a")
    assert live
    key = site.key(CONFIG_MAP, "a")
    with pytest.raises(Conflict):
        await site.cluster.delete(CONFIG_MAP, key, uid="another")
    await site.edit(CONFIG_MAP, "a", {"data": {"x": "1"}})
    with pytest.raises(Conflict):
        await site.cluster.delete(
            CONFIG_MAP, key, uid=live["metadata"]["uid"], resource_version=live["metadata"]["resourceVersion"]
        )
    assert await site.get(CONFIG_MAP, "a")


async def test_kinds_that_are_not_served_are_unknown(site: Site) -> None:
    kind = Kind("nowhere.example.com", "v1", "Odd")
    with pytest.raises(UnknownKind, match="Odd"):
        await site.cluster.get(kind, site.key(kind, "x"))
    assert (await site.cluster.discovery.resource(CONFIG_MAP)).plural == "configmaps"


async def test_every_kind_that_can_be_watched_is_known(site: Site) -> None:
    kinds = {resource.kind for resource in await site.cluster.discovery.everything()}
    assert {CONFIG_MAP, DEPLOYMENT} <= kinds
    assert len({(kind.group, kind.kind) for kind in kinds}) == len(kinds)


async def test_a_long_list_comes_page_by_page(site: Site) -> None:
    async with asyncio.TaskGroup() as tasks:
        for number in range(230):
            manifest = labelled(site, f"c{number}")
            tasks.create_task(site.cluster.apply(CONFIG_MAP, site.key(CONFIG_MAP, f"c{number}"), manifest))
    resource = await site.cluster.discovery.resource(CONFIG_MAP)
    pages = [page async for page in site.cluster.pages(resource, f"{LABEL}={site.namespace}")]
    assert [len(page.objects) for page in pages] == [100, 100, 30]
    assert {page.objects[0]["kind"] for page in pages} == {"ConfigMap"}
    assert len({page.resource_version for page in pages}) == 1


async def test_metadata_alone_can_be_listed(site: Site) -> None:
    await site.cluster.apply(CONFIG_MAP, site.key(CONFIG_MAP, "a"), labelled(site, "a"))
    resource = await site.cluster.discovery.resource(CONFIG_MAP)
    async for page in site.cluster.pages(resource, f"{LABEL}={site.namespace}", metadata_only=True):
        (found,) = page.objects
        assert found["kind"] == "ConfigMap"
        assert "data" not in found


class Followed:
    """Holds what it is told, as the agent's inventory does."""

    def __init__(self) -> None:
        self.held: dict[str, str] = {}
        self.errors: list[ClusterError] = []
        self.lists = 0
        self.opened = 0
        self._listing: set[str] | None = None
        self._changed = asyncio.Event()

    def listing(self) -> None:
        self._listing = set()

    def seen(self, live: Object) -> None:
        name = live["metadata"]["name"]
        if self._listing is not None:
            self._listing.add(name)
        self.held[name] = live["data"]["a"]
        self._changed.set()

    def listed(self, resource_version: str) -> None:
        assert resource_version
        assert self._listing is not None
        self.held = {name: value for name, value in self.held.items() if name in self._listing}
        self._listing = None
        self.lists += 1
        self._changed.set()

    def gone(self, live: Object) -> None:
        self.held.pop(live["metadata"]["name"], None)
        self._changed.set()

    def following(self) -> None:
        self.opened += 1
        self._changed.set()

    def failing(self, error: ClusterError) -> None:
        self.errors.append(error)
        self._listing = None
        self._changed.set()

    async def until(self, **held: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while self.held != held:
                self._changed.clear()
                await self._changed.wait()

    async def until_opened(self, times: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while self.opened < times:
                self._changed.clear()
                await self._changed.wait()


PACE = Pace(retry=Backoff(0.01, 0.05), refused=Backoff(0.01, 0.05))


async def test_a_kind_is_followed_through_every_fault(site: Site, simulated: SimulatedCluster) -> None:
    followed = Followed()
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(
            follow(site.cluster, CONFIG_MAP, f"{LABEL}={site.namespace}", followed, PACE, random.Random(1))
        )
        await site.create(labelled(site, "x", a="1"))
        await followed.until(x="1")
        await followed.until_opened(1)
        # An edit by watch, another after the watch was cut: resumed, not listed again.
        simulated.edit(labelled(site, "x"), {"data": {"a": "2"}})
        await followed.until(x="2")
        simulated.drop_watches()
        simulated.edit(labelled(site, "x"), {"data": {"a": "3"}})
        await followed.until(x="3")
        assert followed.lists == 1
        # The version is forgotten while nobody watches: listed again, and what went is missed by nobody.
        simulated.faults.cut = True
        simulated.drop_watches()
        simulated.delete(labelled(site, "x"))
        simulated.apply(labelled(site, "y", a="1"))
        simulated.expire_watches()
        simulated.faults.clear()
        await followed.until(y="1")
        assert followed.lists == 2
        # A right that is taken away, and given back.
        rule = simulated.faults.forbid("watch", "configmaps", times=3)
        simulated.drop_watches()
        opened = followed.opened
        await followed.until_opened(opened + 1)
        assert rule.hits == 3
        assert any(isinstance(error, Forbidden) and error.verb == "watch" for error in followed.errors)
        task.cancel()


async def test_a_list_that_expires_between_pages_is_begun_again(
    site: Site, simulated: SimulatedCluster
) -> None:
    for number in range(120):
        simulated.apply(labelled(site, f"c{number}", a="1"))
    simulated.faults.answer(410, "list", "configmaps", times=2)
    followed = Followed()
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(
            follow(site.cluster, CONFIG_MAP, f"{LABEL}={site.namespace}", followed, PACE, random.Random(1))
        )
        await followed.until(**{f"c{number}": "1" for number in range(120)})
        task.cancel()


async def test_a_watch_from_a_version_too_old_says_so(site: Site, simulated: SimulatedCluster) -> None:
    resource = await site.cluster.discovery.resource(CONFIG_MAP)
    for number in range(3):
        simulated.apply(labelled(site, f"c{number}"))
    simulated.expire_watches()
    with pytest.raises(Expired):
        await first_event(site.cluster, resource)


async def first_event(cluster: Cluster, resource: Resource) -> None:
    async with cluster.watch(resource, "", "1", within_s=5, grace_s=1) as events:
        async for _ in events:
            return


async def test_a_busy_api_says_when_to_come_back(site: Site, simulated: SimulatedCluster) -> None:
    simulated.faults.answer(429, "get", "configmaps", retry_after_s=7)
    with pytest.raises(Throttled) as caught:
        await site.cluster.get(CONFIG_MAP, site.key(CONFIG_MAP, "a"))
    assert caught.value.retry_after_s == 7.0


async def test_every_request_has_an_end(site: Site, simulated: SimulatedCluster) -> None:
    simulated.faults.delay(1.0, "get", "configmaps")
    async with Cluster(site.access, Limits(timeout_s=0.05)) as cluster:
        with pytest.raises(Unavailable, match="in time"):
            await cluster.get(CONFIG_MAP, site.key(CONFIG_MAP, "a"))


async def test_no_more_requests_than_allowed_run_at_a_time(site: Site, simulated: SimulatedCluster) -> None:
    simulated.faults.delay(0.05, "get", "configmaps")
    loop = asyncio.get_running_loop()
    async with Cluster(site.access, Limits(concurrency=2)) as cluster:
        await cluster.discovery.resource(CONFIG_MAP)
        began_s = loop.time()
        async with asyncio.TaskGroup() as tasks:
            for number in range(6):
                tasks.create_task(read_or_not(cluster, site.key(CONFIG_MAP, f"c{number}")))
        assert loop.time() - began_s >= 0.15


async def read_or_not(cluster: Cluster, key: Key) -> None:
    with pytest.raises(NotFound):
        await cluster.get(CONFIG_MAP, key)


async def test_an_api_that_is_not_there_is_unavailable_and_named(tmp_path: Path, site: Site) -> None:
    # Nobody listens on port 1.
    config = {
        "clusters": [{"name": "x", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "current-context": "x",
    }
    path = tmp_path / "elsewhere"
    path.write_text(json.dumps(config))
    with pytest.raises(Transient, match="can't be reached"):
        async with Cluster(Access(str(path)), Limits(connect_s=1.0)) as cluster:
            await cluster.get(CONFIG_MAP, site.key(CONFIG_MAP, "a"))


EXEC_PLUGIN = """#!/bin/sh
echo run >> {log}
echo '{{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {{"token": "t"}}}}'
"""


async def test_credentials_from_an_exec_plugin_are_asked_for_again_when_refused(
    tmp_path: Path, site: Site, simulated: SimulatedCluster
) -> None:
    log, plugin = tmp_path / "log", tmp_path / "plugin"
    plugin.write_text(EXEC_PLUGIN.format(log=log))
    plugin.chmod(0o700)
    config = simulated.kubeconfig()
    config["users"][0]["user"] = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": str(plugin),
            "interactiveMode": "Never",
        }
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    async with Cluster(Access(str(path))) as cluster:
        await cluster.discovery.resource(CONFIG_MAP)
        assert log.read_text().split() == ["run"]
        simulated.faults.answer(401, "get", "configmaps", times=1)
        with pytest.raises(NotFound):
            await cluster.get(CONFIG_MAP, site.key(CONFIG_MAP, "a"))
        assert log.read_text().split() == ["run", "run"]
