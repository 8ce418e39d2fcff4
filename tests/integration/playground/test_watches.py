"""Watches, versions and pages over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

from .hands import Http, config_map, definition, until

if TYPE_CHECKING:
    from outrider_playground.kubernetes import SimulatedCluster

MAPS = "/api/v1/namespaces/default/configmaps"


async def test_a_watch_goes_on_from_the_version_of_a_list(cluster: SimulatedCluster, http: Http) -> None:
    cluster.apply(config_map("before"))
    _, listed = await http("GET", MAPS)
    cluster.apply(config_map("after"))
    async with http.watch(f"{MAPS}?resourceVersion={listed['metadata']['resourceVersion']}") as events:
        kind, manifest = await events.next()
        assert (kind, manifest["metadata"]["name"]) == ("ADDED", "after")
        cluster.edit(config_map("before"), {"data": {"a": "2"}})
        kind, manifest = await events.next()
        assert (kind, manifest["data"]) == ("MODIFIED", {"a": "2"})
        cluster.delete(config_map("after"))
        kind, manifest = await events.next()
        assert (kind, manifest["metadata"]["name"]) == ("DELETED", "after")


async def test_expired_history_ends_watches_and_refuses_old_versions(
    cluster: SimulatedCluster, http: Http
) -> None:
    _, listed = await http("GET", MAPS)
    cluster.apply(config_map("settings"))
    version = listed["metadata"]["resourceVersion"]
    async with http.watch(f"{MAPS}?resourceVersion={version}") as events:
        assert (await events.next())[0] == "ADDED"
        cluster.expire_watches()
        kind, gone = await events.next()
        assert (kind, gone["code"], gone["reason"]) == ("ERROR", 410, "Expired")
        with pytest.raises(EOFError):
            await events.next()
    async with http.watch(f"{MAPS}?resourceVersion={version}") as again:
        assert (await again.next())[1]["code"] == 410
    assert cluster.open_watches == 0


async def test_a_page_of_an_expired_list_is_refused(cluster: SimulatedCluster, http: Http) -> None:
    for name in "abc":
        cluster.apply(config_map(name))
    _, page = await http("GET", f"{MAPS}?limit=2")
    assert page["metadata"]["remainingItemCount"] == 1
    cluster.apply(config_map("d"))
    cluster.expire_watches()
    assert (await http("GET", f"{MAPS}?limit=2&continue={page['metadata']['continue']}"))[0] == 410


async def test_pages_show_what_was_there_when_the_first_was_read(
    cluster: SimulatedCluster, http: Http
) -> None:
    for name in "abcd":
        cluster.apply(config_map(name))
    _, page = await http("GET", f"{MAPS}?limit=2")
    cluster.delete(config_map("c"))
    cluster.apply(config_map("e"))
    _, rest = await http("GET", f"{MAPS}?limit=9&continue={page['metadata']['continue']}")
    assert [each["metadata"]["name"] for each in rest["items"]] == ["c", "d"]
    _, now = await http("GET", MAPS)
    assert [each["metadata"]["name"] for each in now["items"]] == ["a", "b", "d", "e"]


async def test_a_watch_may_begin_with_a_list(cluster: SimulatedCluster, http: Http) -> None:
    cluster.apply(config_map("settings"))
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    async with http.watch(f"{MAPS}?{query}") as events:
        assert (await events.next())[0] == "ADDED"
        kind, mark = await events.next()
        assert kind == "BOOKMARK"
        assert mark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_a_watch_of_one_object_hears_of_no_other(cluster: SimulatedCluster, http: Http) -> None:
    cluster.apply(config_map("mine"))
    async with http.watch(f"{MAPS}/mine") as events:
        assert (await events.next())[1]["metadata"]["name"] == "mine"
        cluster.apply(config_map("other"))
        cluster.delete(config_map("mine"))
        assert [(await events.next())[0]] == ["DELETED"]


async def test_a_version_from_the_future_is_refused(http: Http) -> None:
    status, answer = await http("GET", f"{MAPS}?resourceVersion=999999")
    assert (status, answer["reason"]) == (504, "Timeout")


async def test_a_watch_that_is_dropped_is_cut_off(cluster: SimulatedCluster, http: Http) -> None:
    async with http.watch(MAPS) as events:
        await until(lambda: cluster.open_watches == 1)
        assert cluster.drop_watches() == 1
        with pytest.raises((aiohttp.ClientError, EOFError)):
            await events.next()
    await until(lambda: cluster.open_watches == 0)


async def test_a_watch_whose_client_goes_is_forgotten(cluster: SimulatedCluster, http: Http) -> None:
    async with http.watch(MAPS):
        await until(lambda: cluster.open_watches == 1)
    cluster.apply(config_map("settings"))
    await until(lambda: cluster.open_watches == 0)


async def test_a_watch_ends_with_the_definition_of_what_it_watches(
    cluster: SimulatedCluster, http: Http
) -> None:
    cluster.apply(definition())
    await until(lambda: cluster.state.catalog.of_kind("example.com/v1", "Widget") is not None)
    cluster.apply({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {}})
    async with http.watch("/apis/example.com/v1/widgets") as events:
        assert (await events.next())[0] == "ADDED"
        cluster.delete(definition())
        assert (await events.next())[0] == "DELETED"
        with pytest.raises(EOFError):
            await events.next()
