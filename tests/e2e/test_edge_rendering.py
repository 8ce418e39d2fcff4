"""Whole processes: edges that pull Git themselves, with and without their hub."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from outrider import subjects
from outrider.bus.services import ask
from outrider_playground.demo import content
from outrider_playground.demo.edge import Edge
from outrider_playground.demo.fleet import OneNodeFleet, healthy, running_fleet
from outrider_playground.demo.story import SHOP
from outrider_playground.waiting import eventually

APPS = ("shop", "till", "signage")
TILL = "till/kustomization.yaml"
KINDS = (("ConfigMap", "v1"), ("Service", "v1"), ("Deployment", "apps/v1"))
POLLS_S = "0.5"


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[OneNodeFleet]:
    """A hub and an edge that may read the repository on this machine itself."""
    settings = {"OUTRIDER_LOCAL_REPOSITORIES": "1", "OUTRIDER_POLL_INTERVAL": POLLS_S}
    async with running_fleet(tmp_path, 1, lambda _text: None, settings) as fleet:
        await fleet.until(lambda known: len(known) == 3 and all(map(healthy, known.values())), 60)
        yield fleet


async def renders(fleet: OneNodeFleet, place: str) -> None:
    """Have the edge's applications rendered there or at the hub, and wait until both say so."""
    await fleet.hub.outrider("cluster", "set", "edge-1", "--render", place)
    await fleet.until(
        lambda known: all(healthy(item) and item["rendered_at"] == place for item in known.values()), 60
    )


def objects(edge: Edge) -> dict[str, str]:
    """The versions of all that runs: any write to any object makes another."""
    return {
        f"{kind} {one['metadata']['name']}": one["metadata"]["resourceVersion"]
        for app in APPS
        for kind, version in KINDS
        for one in edge.cluster.objects(kind, version, app)
    }


def is_rolled_out(edge: Edge) -> bool:
    """Whether no controller has anything left to write: what the hub was told last may be older than the last rollout."""
    return all(
        (one["status"].get("observedGeneration"), one["status"].get("updatedReplicas"))
        == (one["metadata"]["generation"], one["spec"]["replicas"])
        == (one["metadata"]["generation"], one["status"].get("availableReplicas"))
        and one["status"].get("replicas") == one["spec"]["replicas"]
        and any(
            condition.get("reason") == "NewReplicaSetAvailable"
            for condition in one["status"].get("conditions", ())
        )
        for app in APPS
        for one in edge.cluster.objects("Deployment", "apps/v1", app)
    )


async def document(fleet: OneNodeFleet, app: str = "shop") -> dict[str, Any]:
    item = await fleet.hub.outrider("app", "get", f"{app}-edge-1")
    found: dict[str, Any] = item["status"]["document"]
    return found


async def desired(fleet: OneNodeFleet, app: str = "shop") -> dict[str, Any]:
    item = await fleet.hub.outrider("app", "get", f"{app}-edge-1")
    found: dict[str, Any] = item["desired"]
    return found


async def happened(fleet: OneNodeFleet) -> list[dict[str, Any]]:
    asked = {"name": "shop-edge-1", "limit": 200}
    answer = await ask(fleet.hub.connection, subjects.status_query("journal"), asked)
    found: list[dict[str, Any]] = answer["items"]
    return found


async def bump(fleet: OneNodeFleet, n: int) -> str:
    return await asyncio.to_thread(
        fleet.repository.replace, SHOP, f":1.{n}", f":1.{n + 1}", f"Shop 1.{n + 1}"
    )


async def agreed(fleet: OneNodeFleet, revision: str, within_s: float = 60) -> None:
    """The hub knows the revision, fresh, as the one that is to be."""
    await fleet.until(
        lambda known: (
            healthy(known["shop-edge-1"])
            and known["shop-edge-1"]["revision"] == known["shop-edge-1"]["desired_revision"] == revision
        ),
        within_s,
    )


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def test_where_an_application_is_rendered_makes_no_difference_to_what_runs(fleet: OneNodeFleet) -> None:
    (edge,) = fleet.edges
    before, told = objects(edge), {app: await desired(fleet, app) for app in APPS}
    await renders(fleet, "edge")
    assert objects(edge) == before
    for app in APPS:
        found = await document(fleet, app)
        assert [one["digest"] for one in found["history"]] == [told[app]["digest"][:16]]
        assert found["sync"]["revision"] == told[app]["revision"]
    bumped = await bump(fleet, 0)
    revision = await asyncio.to_thread(fleet.repository.replace, TILL, '"1.0"', '"1.1"', "Till 1.1")
    await fleet.until(
        lambda known: (
            known["till-edge-1"]["revision"] == revision
            and known["shop-edge-1"]["revision"] in (bumped, revision)
            and all(map(healthy, known.values()))
        )
    )
    assert edge.image("shop", "shop").endswith(":1.1")
    await eventually(lambda: is_rolled_out(edge))
    before = objects(edge)
    at_edge = {app: (await document(fleet, app))["history"][-1]["digest"] for app in APPS}
    await renders(fleet, "hub")
    assert objects(edge) == before
    await eventually(lambda: not children(edge.agent.pid))
    assert {app: (await desired(fleet, app))["digest"][:16] for app in APPS} == at_edge


async def test_an_edge_follows_commits_while_its_hub_is_gone_and_both_agree_when_it_is_back(
    fleet: OneNodeFleet,
) -> None:
    (edge,) = fleet.edges
    await renders(fleet, "edge")
    await fleet.hub.child.kill()
    await bump(fleet, 0)
    await eventually(lambda: edge.image("shop", "shop").endswith(":1.1"), 30)
    await edge.agent.kill()
    revision = await bump(fleet, 1)
    await edge.agent.start()
    await eventually(lambda: edge.image("shop", "shop").endswith(":1.2"), 30)
    bad = await asyncio.to_thread(
        fleet.repository.commit, {"shop/menu.yaml": content.MENU + "  broken: [1\n"}, "A mistake"
    )
    menu = edge.cluster.get("ConfigMap", "menu", "shop")
    assert menu is not None
    edge.cluster.edit(menu, {"data": {"greeting": "Nobody looks"}}, "kubectl-edit")
    await eventually(lambda: edge.cluster.read(menu)["data"]["greeting"] == "Welcome")
    await fleet.hub.child.start()
    await fleet.until(lambda known: bad[:7] in known["shop-edge-1"]["message"], 60)
    known = (await fleet.known())["shop-edge-1"]
    assert (known["revision"], known["desired_revision"], known["delivered"]) == (revision, revision, True)
    assert f"(stays at {revision[:7]})" in known["message"]
    assert edge.image("shop", "shop").endswith(":1.2")
    assert revision in [
        one["detail"]["revision"] for one in await happened(fleet) if one["kind"] == "rendered"
    ]


async def test_agent_and_renderer_killed_at_any_instant_while_commits_flow_end_in_step(
    fleet: OneNodeFleet,
) -> None:
    (edge,) = fleet.edges
    await renders(fleet, "edge")
    await edge.link.cut()
    dice = random.Random(7)
    revision = ""
    for n in range(6):
        async with asyncio.TaskGroup() as tasks:
            committing = tasks.create_task(bump(fleet, n), name="commit")
            # The instant is the point: anywhere between a look, a rendering, a transaction and a sync.
            await asyncio.sleep(dice.uniform(0, 1.0))
            victims = children(edge.agent.pid)
            if n % 2 and victims:
                os.kill(dice.choice(victims), signal.SIGKILL)
            else:
                await edge.agent.kill()
                await edge.agent.start()
        revision = committing.result()
    await eventually(lambda: edge.image("shop", "shop").endswith(":1.6"), 60)
    await edge.link.restore()
    await agreed(fleet, revision)
    assert (await document(fleet))["history"][-1]["revision"] == revision


async def test_what_a_person_asks_of_an_application_is_done_where_it_is_rendered(
    tmp_path: Path, fleet: OneNodeFleet
) -> None:
    (edge,) = fleet.edges
    manifest = content.application("shop", "edge-1", fleet.repository.url)
    manual = manifest.replace("    automated: {prune: true, selfHeal: true}\n", "")
    assert manual != manifest
    file = tmp_path / "manual.yaml"
    file.write_text(
        manual.replace("metadata:\n", "metadata:\n  annotations: {outrider.dev/render: edge}\n", 1)
    )
    await fleet.hub.outrider("app", "apply", "-f", str(file))
    await fleet.until(
        lambda known: known["shop-edge-1"]["rendered_at"] == "edge" and healthy(known["shop-edge-1"])
    )
    first = (await fleet.known())["shop-edge-1"]["revision"]
    second = await bump(fleet, 0)
    assert (await fleet.hub.outrider("app", "refresh", "shop-edge-1"))["revisions"] == {
        fleet.repository.url: {"main": second}
    }
    await fleet.until(
        lambda known: (
            (known["shop-edge-1"]["sync"], known["shop-edge-1"]["revision"]) == ("OutOfSync", second)
        )
    )
    found = await ask(fleet.hub.connection, subjects.registry("app.diff"), {"name": "shop-edge-1"})
    assert "registry.example.com/shop:1.1" in str(found)
    await fleet.hub.outrider("app", "sync", "shop-edge-1", "--wait")
    await eventually(lambda: edge.image("shop", "shop").endswith(":1.1"))

    await fleet.hub.outrider("app", "sync", "shop-edge-1", "--revision", first, "--wait")
    await eventually(lambda: edge.image("shop", "shop").endswith(":1.0"))
    history = (await document(fleet))["history"]
    assert [one["revision"] for one in history] == [first, second, first]
    await fleet.hub.outrider("app", "rollback", "shop-edge-1", str(history[1]["id"]), "--wait")
    await eventually(lambda: edge.image("shop", "shop").endswith(":1.1"))
