"""What the hub asks of an edge, over a real bus: diff, manifest, tree, and the operations."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import random
import time
from typing import TYPE_CHECKING, Any

import pytest

from app_registry.commands import Commands as Asking
from edge_agent.commands.serve import LOOKS_AT_A_TIME, LOOKS_WAITING_MAX, Commands
from edge_agent.link.allowance import Allowance
from edge_agent.link.budget import Limits
from outrider.bus.services import RequestRefused
from outrider.names import cluster_name

from .site import CONFIG_MAP, DEPLOYMENT, SECRET, Agent, Site, config_map, deployment, resources

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.conftest import Hub

    from outrider_playground.kubernetes import SimulatedCluster

CANARY = "correct-horse-battery"
SHOP = cluster_name("shop1")
REPORTED = {"automated": {"prune": True}}
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Asked:
    """The hub's side: asks, and keeps every byte of what it was answered."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def __call__(self, verb: str, **arguments: Any) -> Any:
        return await self._asking.ask(SHOP, verb, arguments)


@pytest.fixture
async def ask(hub: Hub, agent: Agent) -> AsyncIterator[Asked]:
    async with hub.connect("registry") as registry, hub.connect_edge(SHOP) as edge:
        asking = Asking(registry, random.Random(1), timeout_s=15)
        await asking.start()
        commands = Commands(edge, SHOP, agent.applications, lambda apps: None, Allowance(Limits(), time.time))
        await commands.start()
        await edge.flush()
        await registry.flush()
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(commands.run())
            yield Asked(asking)
            serving.cancel()


def about(group: str, kind: str, namespace: str, name: str) -> dict[str, str]:
    return {"group": group, "kind": kind, "namespace": namespace, "name": name}


async def until_out_of_sync(agent: Agent, app: str) -> None:
    await agent.until(app, lambda document: document["sync"]["status"] == "OutOfSync")
    await agent.settle(app)


async def test_a_diff_says_what_was_changed_added_and_removed(
    ask: Asked, agent: Agent, site: Site, app: str
) -> None:
    keep: dict[str, Any] = {"automated": {}}
    wanted = deployment("web", replicas=2)
    agent.desire(app, [wanted, config_map("gone"), config_map("same")], sync=keep)
    await agent.until_synced(app)
    agent.desire(app, [wanted, config_map("same")], sync=keep)
    await until_out_of_sync(agent, app)
    containers = [{"name": "web", "image": "somebody/else:9"}]
    theirs = {"spec": {"replicas": 5, "template": {"spec": {"containers": containers}}}}
    await site.edit(DEPLOYMENT, "web", theirs)
    await agent.until(app, lambda document: resources(document)["web"]["status"] == "OutOfSync")
    found = {one["name"]: one for one in (await ask("diff", app=app))["resources"]}
    assert sorted(found) == ["gone", "web"]
    assert found["gone"]["state"] == "removed"
    assert found["gone"]["live"]["data"] == {"a": "1"}
    assert found["web"]["state"] == "modified"
    assert found["web"]["changes"] == [
        {"path": ".spec.replicas", "live": 5, "desired": 2},
        {
            "path": '.spec.template.spec.containers[name="web"].image',
            "live": "somebody/else:9",
            "desired": "shop/till:1",
        },
    ]
    assert "managedFields" not in json.dumps(found)
    (alone,) = (await ask("diff", app=app, resource=about("apps", "Deployment", site.namespace, "web")))[
        "resources"
    ]
    assert alone == found["web"]
    same = about("", "ConfigMap", site.namespace, "same")
    assert await ask("diff", app=app, resource=same) == {"resources": [], "truncated": False}


async def test_a_diff_shows_what_is_not_there_yet(ask: Asked, agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a")], sync={})
    await until_out_of_sync(agent, app)
    (found,) = (await ask("diff", app=app))["resources"]
    assert (found["state"], found["live"], found["changes"]) == ("added", None, [])
    assert found["desired"]["data"] == {"a": "1"}


async def test_what_is_ignored_is_in_no_diff(ask: Asked, agent: Agent, site: Site, app: str) -> None:
    rules = [{"group": "apps", "kind": "*", "jqPathExpressions": [".spec.replicas"]}]
    agent.desire(app, [deployment("web", replicas=2)], sync=REPORTED, ignoreDifferences=rules)
    await agent.until_synced(app)
    await site.edit(DEPLOYMENT, "web", {"spec": {"replicas": 5}})
    one = about("apps", "Deployment", site.namespace, "web")
    assert (await ask("diff", app=app, resource=one))["resources"] == []


async def test_no_secret_value_is_in_any_answer(
    ask: Asked, agent: Agent, site: Site, app: str, hub: Hub
) -> None:
    """In the diff, the manifests, the tree, the status document and what was applied last."""
    values = {"password": CANARY, "same": f"{CANARY}-same"}
    stored = {name: base64.b64encode(value.encode()).decode() for name, value in values.items()}
    wanted = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": values}
    agent.desire(app, [wanted], sync=REPORTED)
    await agent.until_synced(app)
    copy = json.dumps(wanted)
    theirs = base64.b64encode(f"{CANARY}-theirs".encode()).decode()
    note = {LAST_APPLIED: copy, "copied": stored["password"]}
    await site.edit(SECRET, "s", {"data": {"password": theirs}, "metadata": {"annotations": note}})
    await until_out_of_sync(agent, app)
    one = about("", "Secret", site.namespace, "s")
    async with everything_said(hub) as said:
        diff = await ask("diff", app=app)
        manifest = await ask("manifest", app=app, resource=one)
        await ask("tree", app=app)
        await ask("get", app=app)
    (found,) = diff["resources"]
    (change,) = found["changes"]
    assert change["path"] == ".data.password"
    assert set(change["live"]) == set(change["desired"]) == {"+"}
    assert change["live"] != change["desired"]
    assert manifest["live"]["data"]["same"] == manifest["desired"]["data"]["same"]
    assert manifest["live"]["data"]["password"] != manifest["desired"]["data"]["password"]
    text = json.dumps([diff, manifest, agent.said]) + repr(said)
    for value in (CANARY, *stored.values(), theirs, base64.b64encode(CANARY.encode()).decode()[:24]):
        assert value not in text
    assert said


async def test_a_secret_that_is_refused_shows_no_value(
    ask: Asked, agent: Agent, site: Site, app: str
) -> None:
    wanted = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": CANARY, "b": 5}}
    agent.desire(app, [wanted])
    await agent.until(app, lambda document: document.get("operationState", {}).get("phase") == "Failed")
    await site.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}})
    agent.refresh(app, hard=True)
    await agent.settle(app)
    answers = [await ask("diff", app=app), await ask("get", app=app), agent.said]
    assert CANARY not in json.dumps(answers)


async def test_a_manifest_is_shown_of_what_the_application_owns_and_of_nothing_else(
    ask: Asked, agent: Agent, site: Site, app: str
) -> None:
    other = f"{app}-other"
    agent.desire(app, [deployment("web")])
    agent.desire(other, [config_map("theirs")])
    await agent.until_synced(other)
    await site.until(DEPLOYMENT, "web", lambda live: live and live.get("status", {}).get("replicas"))
    nodes = (await ask("tree", app=app))["nodes"]
    (pod,) = [node for node in nodes if node["kind"] == "Pod"]
    shown = await ask("manifest", app=app, resource=about("", "Pod", site.namespace, pod["name"]))
    assert shown["live"]["metadata"]["uid"] == pod["uid"]
    assert shown["desired"] is None
    await site.create(config_map("nobodys"))
    for name in ("theirs", "nobodys", "nowhere"):
        with pytest.raises(RequestRefused, match=f"has no ConfigMap {site.namespace}/{name}"):
            await ask("manifest", app=app, resource=about("", "ConfigMap", site.namespace, name))
    with pytest.raises(RequestRefused, match="has no Robot"):
        await ask("manifest", app=app, resource=about("example.com", "Robot", site.namespace, "r"))


async def test_without_the_cluster_a_diff_says_what_was_found_last(
    simulated: SimulatedCluster, ask: Asked, agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [config_map("a"), config_map("b")], sync=REPORTED)
    await agent.until_synced(app)
    await site.edit(CONFIG_MAP, "a", {"data": {"a": "edited"}})
    await until_out_of_sync(agent, app)
    simulated.faults.answer(503)
    (found,) = (await ask("diff", app=app))["resources"]
    assert found["name"] == "a"
    assert found["changes"] == [{"path": "/data/a"}]
    assert "found last" in found["message"]
    assert found["desired"]["data"] == {"a": "1"}
    shown = await ask("manifest", app=app, resource=about("", "ConfigMap", site.namespace, "a"))
    assert shown["desired"]["data"] == {"a": "1"}
    assert shown["live"] is None
    assert "503" in shown["message"] or shown["message"]
    simulated.faults.clear()


async def test_a_large_answer_comes_whole(ask: Asked, agent: Agent, site: Site, app: str) -> None:
    """Larger than any message that the server lets through."""
    noise = random.Random(3)
    large = {f"k{number}": noise.randbytes(60_000).hex() for number in range(6)}
    manifests = [config_map(f"c{number}", large) for number in range(3)]
    agent.desire(app, manifests, sync={})
    await until_out_of_sync(agent, app)
    found = (await ask("diff", app=app))["resources"]
    assert [one["desired"]["data"] == large for one in found if one["desired"]].count(True) >= 2
    assert sorted(one["name"] for one in found) == ["c0", "c1", "c2"]


async def test_operations_are_taken_in_with_all_that_is_said_of_them(
    ask: Asked, agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [config_map("a"), config_map("b")], sync={})
    await until_out_of_sync(agent, app)
    one = about("", "ConfigMap", site.namespace, "a")
    answer = await ask("sync", app=app, resources=[one], initiated_by="ann", options=["Validate=false"])
    assert answer == {"app": app, "result": "started"}
    assert await site.until(CONFIG_MAP, "a", lambda live: live)
    document = await agent.until(
        app, lambda document: document.get("operationState", {}).get("phase") == "Succeeded"
    )
    assert document["operationState"]["operation"]["initiatedBy"]["username"] == "ann"
    assert await site.get(CONFIG_MAP, "b") is None


@pytest.mark.parametrize(
    ("verb", "arguments", "sentence"),
    [
        ("sync", {"app": "nowhere"}, "is not on cluster 'shop1'"),
        ("sync", {"app": 5}, "app must be a text"),
        ("sync", {"prune": "yes"}, "prune must be true or false"),
        ("sync", {"digest": b"short"}, "digest must be 32 bytes"),
        ("sync", {"strategy": "fast"}, "strategy must be hook or apply"),
        ("sync", {"options": "Force=true"}, "options must be a list"),
        ("sync", {"resources": [{"kind": "ConfigMap"}]}, "named by kind and name"),
        ("sync", {"retry_limit": True}, "retry_limit must be a whole number"),
        ("rollback", {"id": "7"}, "id must be a whole number"),
        ("manifest", {}, "named by kind and name"),
        ("diff", {"resource": "web"}, "named by kind and name"),
        ("dance", {}, "does not know the command 'dance'"),
    ],
)
async def test_what_can_not_be_done_is_answered_with_a_sentence(
    ask: Asked, agent: Agent, site: Site, app: str, verb: str, arguments: dict[str, Any], sentence: str
) -> None:
    agent.desire(app, [config_map("a")])
    await agent.until_synced(app)
    with pytest.raises(RequestRefused, match=sentence):
        await ask(verb, **{"app": app, **arguments})


async def test_a_refresh_warns_of_orphans_where_the_project_asks(
    ask: Asked, agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [config_map("a")], project={"orphanedResources": {}})
    await agent.until_synced(app)
    await site.create(config_map("lost"))
    await ask("refresh", app=app)
    document = await agent.until(app, lambda document: bool(document["conditions"]))
    assert document["conditions"] == [
        {"type": "OrphanedResourceWarning", "message": "Application has 1 orphaned resources"}
    ]
    assert document["sync"]["status"] == "Synced"
    await site.delete(CONFIG_MAP, "lost")
    await ask("refresh", app=app)
    await agent.until(app, lambda document: not document["conditions"])


async def test_more_questions_than_an_agent_takes_are_refused_and_it_goes_on(
    simulated: SimulatedCluster, ask: Asked, agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [config_map("a")])
    await agent.until_synced(app)
    simulated.faults.delay(0.2, "list")
    count = LOOKS_AT_A_TIME + LOOKS_WAITING_MAX + 6
    answers = await asyncio.gather(*(ask("tree", app=app) for _ in range(count)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, RequestRefused)]
    assert len(refused) == 6
    assert "answers" in str(refused[0])
    simulated.faults.clear()
    assert (await ask("tree", app=app))["nodes"]


@contextlib.asynccontextmanager
async def everything_said(hub: Hub) -> AsyncIterator[list[bytes]]:
    """Hear every reply of the cluster as it goes over the bus."""
    said: list[bytes] = []

    async def hear(message: Any) -> None:
        said.append(message.data)

    async with hub.connect("registry") as connection:
        await connection.subscribe("fleet.*.reply.*", hear)
        await connection.flush()
        yield said
