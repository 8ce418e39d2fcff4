"""Row 9: a Kubernetes API that is slow, restarts, throttles, forbids or lacks a kind: other applications go on, and a condition says why."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import yaml
from tests.e2e.faults.agreement import Wanted, agree, demo_applications
from tests.e2e.faults.shop import apply, bumped, delete, gone, is_mended, runs, shown, tell, vandalise

from outrider_playground.demo.edge import Edge
from outrider_playground.demo.fleet import OneNodeFleet

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("healed")]

GROUP = "faults.example.com"
GADGET = {"apiVersion": f"{GROUP}/v1", "kind": "Gadget", "metadata": {"name": "one"}, "spec": {"size": 1}}
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"gadgets.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": "gadgets", "singular": "gadget", "kind": "Gadget"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {"type": "object", "properties": {"size": {"type": "integer"}}}
                        },
                    }
                },
            }
        ],
    },
}
SERVICE_ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "clerk"}}


async def test_a_slow_api_takes_its_time(fleet: OneNodeFleet) -> None:
    edge = fleet.edges[0]
    edge.cluster.faults.latency_s = 0.3
    tag = await bumped(fleet)
    await runs(tag, *fleet.edges)
    vandalise(edge)
    await is_mended(edge)
    edge.cluster.faults.clear()
    await agree(fleet)


async def test_an_api_that_restarts_is_waited_for(fleet: OneNodeFleet) -> None:
    edge, other = fleet.edges
    await agree(fleet)
    await edge.cluster.go_down()
    tag = await bumped(fleet)
    await runs(tag, other)
    # Nothing green is shown for an API that can't be asked.
    await shown(fleet, f"shop-{edge.name}", health="Unknown", within_s=90)
    await edge.cluster.come_back()
    edge.cluster.expire_watches()
    await runs(tag, edge)
    await agree(fleet)


async def test_a_throttling_api_is_asked_again_when_it_says(fleet: OneNodeFleet) -> None:
    edge = fleet.edges[0]
    rule = edge.cluster.faults.answer(429, "patch", times=3, retry_after_s=1)
    tag = await bumped(fleet)
    await runs(tag, *fleet.edges)
    await agree(fleet)
    assert rule.hits == 3


async def test_an_api_that_fails_now_and_then_is_tried_again(fleet: OneNodeFleet) -> None:
    edge = fleet.edges[0]
    edge.cluster.faults.answer(503, times=15)
    edge.cluster.drop_watches()
    tag = await bumped(fleet)
    vandalise(edge)
    await runs(tag, *fleet.edges)
    await is_mended(edge)
    edge.cluster.faults.clear()
    await agree(fleet)


@asynccontextmanager
async def application(fleet: OneNodeFleet, edge: Edge, *objects: object) -> AsyncIterator[dict[str, Wanted]]:
    """Have an application for a while; what the fleet runs with it."""
    text = yaml.safe_dump_all(list(objects), sort_keys=False)
    await asyncio.to_thread(fleet.repository.commit, {"special/all.yaml": text}, "Special")
    await tell(fleet)
    await apply(fleet, "special", edge, "special")
    yield {**demo_applications(fleet), "special": Wanted(edge.name, "special")}
    if "special" in await fleet.known():
        await delete(fleet.hub, "special")
    await gone(fleet, "special")
    await agree(fleet)


async def test_what_is_forbidden_is_named_others_go_on_and_a_right_that_is_given_later_is_used(
    fleet: OneNodeFleet,
) -> None:
    edge = fleet.edges[0]
    rule = edge.cluster.faults.forbid("patch", "serviceaccounts")
    async with application(fleet, edge, SERVICE_ACCOUNT) as wanted:
        await shown(fleet, "special", message="serviceaccounts")
        tag = await bumped(fleet)
        await runs(tag, *fleet.edges)
        vandalise(edge)
        await is_mended(edge)
        edge.cluster.faults.remove(rule)
        await agree(fleet, wanted)


async def test_a_kind_that_is_not_there_is_named_others_go_on_and_it_is_used_once_it_comes(
    fleet: OneNodeFleet,
) -> None:
    edge = fleet.edges[0]
    async with application(fleet, edge, GADGET, SERVICE_ACCOUNT) as wanted:
        await shown(fleet, "special", message="Gadget")
        tag = await bumped(fleet)
        await runs(tag, *fleet.edges)
        edge.cluster.apply(DEFINITION)
        await agree(fleet, wanted)


async def test_a_deletion_that_a_finalizer_holds_is_waited_for_and_hangs_nobody(fleet: OneNodeFleet) -> None:
    edge = fleet.edges[1]
    async with application(fleet, edge, SERVICE_ACCOUNT) as wanted:
        await agree(fleet, wanted)
        live = edge.cluster.get("ServiceAccount", "clerk", "special")
        assert live is not None
        # Of somebody else, who is in no hurry.
        edge.cluster.edit(live, {"metadata": {"finalizers": ["example.com/hold"]}})
        await delete(fleet.hub, "special")
        tag = await bumped(fleet)
        await runs(tag, *fleet.edges)
        await shown(fleet, "special", deleting=True)
        edge.cluster.edit(live, {"metadata": {"finalizers": None}})
