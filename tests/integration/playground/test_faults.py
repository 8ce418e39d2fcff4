"""Faults that tests inject."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest

from outrider_playground.kubernetes import Rule

from .hands import Http, config_map, definition, until

if TYPE_CHECKING:
    from outrider_playground.kubernetes import SimulatedCluster

MAPS = "/api/v1/namespaces/default/configmaps"


async def test_an_injected_error_is_answered_so_many_times(cluster: SimulatedCluster, http: Http) -> None:
    cluster.faults.answer(503, "create", "configmaps", times=2)
    statuses = [(await http("POST", MAPS, config_map(f"m{number}")))[0] for number in range(4)]
    assert statuses == [503, 503, 201, 201]
    assert (await http("GET", MAPS))[0] == 200
    assert cluster.requests["create", "configmaps"] == 4


async def test_throttling_tells_when_to_come_back(cluster: SimulatedCluster, http: Http) -> None:
    cluster.faults.answer(429, retry_after_s=7)
    async with http.session.get(cluster.url + MAPS) as response:
        assert response.status == 429
        assert response.headers["Retry-After"] == "7"
        answer = await response.json()
    assert (answer["reason"], answer["details"]) == ("TooManyRequests", {"retryAfterSeconds": 7})


async def test_a_forbidden_verb_is_refused_as_rbac_refuses(cluster: SimulatedCluster, http: Http) -> None:
    rule = cluster.faults.forbid("list", "configmaps")
    status, answer = await http("GET", MAPS)
    assert status == 403
    assert answer["reason"] == "Forbidden"
    assert 'cannot list resource "configmaps" in API group "" in the namespace "default"' in answer["message"]
    assert (await http("GET", "/api/v1/namespaces/default/secrets"))[0] == 200
    cluster.faults.remove(rule)
    assert (await http("GET", MAPS))[0] == 200


async def test_a_fault_can_be_meant_for_one_object(cluster: SimulatedCluster, http: Http) -> None:
    cluster.apply(config_map("a"))
    cluster.apply(config_map("b"))
    cluster.faults.answer(500, "get", "configmaps", name="b")
    assert [(await http("GET", f"{MAPS}/{name}"))[0] for name in "ab"] == [200, 500]


async def test_an_answer_can_get_lost_after_the_work_was_done(cluster: SimulatedCluster, http: Http) -> None:
    cluster.faults.add(Rule("create", "configmaps", cut=True, after=True, times=1))
    with pytest.raises(aiohttp.ClientError):
        await http("POST", MAPS, config_map("settings"))
    assert cluster.get("ConfigMap", "settings", "default") is not None


async def test_latency_delays_an_answer(cluster: SimulatedCluster, http: Http) -> None:
    cluster.faults.delay(0.2, "get", "configmaps")
    cluster.apply(config_map("settings"))
    began = asyncio.get_running_loop().time()
    assert (await http("GET", f"{MAPS}/settings"))[0] == 200
    assert asyncio.get_running_loop().time() - began >= 0.2


async def test_an_api_that_is_down_refuses_connections_and_comes_back_on_its_port(
    cluster: SimulatedCluster, http: Http
) -> None:
    cluster.apply(config_map("settings"))
    port = cluster.port
    async with http.watch(MAPS) as events:
        await events.next()
        await cluster.go_down()
        with pytest.raises((aiohttp.ClientError, EOFError)):
            await events.next()
    with pytest.raises(aiohttp.ClientConnectorError):
        await http("GET", MAPS)
    await cluster.come_back()
    assert cluster.port == port
    assert (await http("GET", f"{MAPS}/settings"))[0] == 200


async def test_an_api_that_hangs_up_answers_nothing(cluster: SimulatedCluster, http: Http) -> None:
    cluster.faults.cut = True
    with pytest.raises(aiohttp.ClientError):
        await http("GET", MAPS)
    cluster.faults.clear()
    assert (await http("GET", MAPS))[0] == 200


async def test_discovery_can_fail_as_well(cluster: SimulatedCluster, http: Http) -> None:
    rule = cluster.faults.answer(503, "discover")
    assert (await http("GET", "/apis"))[0] == 503
    cluster.faults.remove(rule)
    cluster.apply(definition())
    await until(lambda: cluster.state.catalog.of_kind("example.com/v1", "Widget") is not None)
    _, groups = await http("GET", "/apis")
    assert "example.com" in [each["name"] for each in groups["groups"]]


async def test_an_api_goes_down_whatever_is_being_asked(cluster: SimulatedCluster, http: Http) -> None:
    rule = cluster.faults.delay(60, "list", "configmaps")
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(_refused(http), name="ask")
        await until(lambda: rule.hits > 0)
        await cluster.go_down()
        await asked
    cluster.faults.clear()
    await cluster.come_back()
    assert (await http("GET", MAPS))[0] == 200


async def _refused(http: Http) -> None:
    with pytest.raises(aiohttp.ClientError):
        await http("GET", MAPS)
