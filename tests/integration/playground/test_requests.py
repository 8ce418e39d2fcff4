"""Requests that are wrong are refused and leave the cluster as it was."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from .hands import Http, config_map, workload

if TYPE_CHECKING:
    from outrider_playground.kubernetes import SimulatedCluster

MAPS = "/api/v1/namespaces/default/configmaps"
APPLY = "application/apply-patch+yaml"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nope", None, 404),
        ("GET", "/api/v2/configmaps", None, 404),
        ("GET", "/api/v1/nope", None, 404),
        ("GET", f"{MAPS}/a/b", None, 404),
        ("GET", f"{MAPS}/a/b/c", None, 404),
        ("POST", "/api/v1/configmaps", config_map("a"), 405),
        ("PUT", MAPS, config_map("a"), 405),
        ("DELETE", "/api/v1/namespaces", None, 405),
        ("POST", MAPS, [], 400),
        ("POST", MAPS, {"kind": "ConfigMap"}, 400),
        ("POST", MAPS, config_map("a", namespace="other"), 400),
        ("POST", MAPS, config_map("a", resourceVersion="1"), 400),
        ("POST", MAPS, config_map("a", labels={"a b": "c"}), 422),
        ("POST", MAPS, config_map("a", labels={"a": "c d"}), 422),
        ("POST", MAPS, {**config_map("a"), "data": {"a": 1}}, 400),
        ("POST", MAPS, {**config_map("a"), "metadata": {}}, 422),
        ("POST", f"{MAPS}?dryRun=Some", config_map("a"), 422),
        ("POST", f"{MAPS}?fieldValidation=Maybe", config_map("a"), 422),
        ("POST", f"{MAPS}?fieldManager={'x' * 129}", config_map("a"), 422),
        ("GET", f"{MAPS}?limit=many", None, 400),
        ("GET", f"{MAPS}?continue=xyz", None, 400),
        ("GET", f"{MAPS}?resourceVersionMatch=Exact", None, 400),
        ("DELETE", f"{MAPS}/a?propagationPolicy=Sideways", None, 422),
        ("DELETE", f"{MAPS}/a?gracePeriodSeconds=soon", None, 422),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused(
    cluster: SimulatedCluster, http: Http, method: str, path: str, body: Any, status: int
) -> None:
    version = cluster.state.store.version
    assert (await http(method, path, body))[0] == status
    assert cluster.state.store.version == version


async def test_a_body_that_is_too_large_is_refused(http: Http) -> None:
    body = io.BytesIO(json.dumps(config_map("a", {"a": "x" * (3 * 1024 * 1024)})).encode())
    async with http.session.post(
        http.url + MAPS, data=body, headers={"Content-Type": "application/json"}
    ) as response:
        assert response.status == 413


async def test_only_json_is_answered(http: Http) -> None:
    assert (await http("GET", MAPS, accept="text/html"))[0] == 406
    assert (await http("GET", MAPS, accept="application/vnd.kubernetes.protobuf,application/json"))[0] == 200


@pytest.mark.parametrize("body", [b"k8s\x00\xff\xff", b"k8s\x00", b"{}", b""])
async def test_protobuf_that_is_none_is_refused(http: Http, body: bytes) -> None:
    headers = {"Content-Type": "application/vnd.kubernetes.protobuf"}
    async with http.session.post(http.url + MAPS, data=body, headers=headers) as response:
        assert response.status == 400


async def test_nothing_is_kept_of_a_dry_run(cluster: SimulatedCluster, http: Http) -> None:
    cluster.apply(config_map("a"))
    version = cluster.state.store.version
    calls: list[tuple[str, str, Any, str]] = [
        ("POST", f"{MAPS}?dryRun=All", config_map("b"), "application/json"),
        ("PUT", f"{MAPS}/a?dryRun=All", config_map("a", {"a": "2"}), "application/json"),
        ("PATCH", f"{MAPS}/a?dryRun=All", {"data": {"a": "2"}}, "application/merge-patch+json"),
        ("PATCH", f"{MAPS}/a?dryRun=All&fieldManager=m&force=true", config_map("a", {"a": "2"}), APPLY),
        ("DELETE", f"{MAPS}/a?dryRun=All", None, "application/json"),
    ]
    for method, path, body, kind in calls:
        assert (await http(method, path, body, kind))[0] < 300
    assert cluster.state.store.version == version


async def test_of_two_writers_with_the_same_version_one_is_refused(
    cluster: SimulatedCluster, http: Http
) -> None:
    live = cluster.apply(config_map("a"))
    first = {**live, "data": {"a": "2"}}
    second = {**live, "data": {"a": "3"}}
    assert [(await http("PUT", f"{MAPS}/a", body))[0] for body in (first, second)] == [200, 409]
    assert cluster.read(config_map("a"))["data"] == {"a": "2"}


async def test_values_are_kept_in_the_form_that_the_server_writes(cluster: SimulatedCluster) -> None:
    web = workload("Deployment", "web")
    web["spec"]["template"]["spec"]["containers"][0]["resources"] = {
        "requests": {"cpu": "0.5", "memory": "1024Mi"}
    }
    live = cluster.apply(web)
    container = live["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["requests"] == {"cpu": "500m", "memory": "1Gi"}
    assert cluster.apply(web)["metadata"]["resourceVersion"] == live["metadata"]["resourceVersion"]


async def test_an_immutable_config_map_can_not_be_changed(cluster: SimulatedCluster, http: Http) -> None:
    cluster.apply({**config_map("a"), "immutable": True})
    status, answer = await http("PATCH", f"{MAPS}/a", {"data": {"a": "2"}}, "application/merge-patch+json")
    assert status == 422
    assert [cause["field"] for cause in answer["details"]["causes"]] == ["data"]


async def test_an_apply_meant_for_an_object_that_is_gone_creates_no_other(
    cluster: SimulatedCluster, http: Http
) -> None:
    live = cluster.apply(config_map("a"))
    cluster.delete(live)
    meant = config_map("a", uid=live["metadata"]["uid"])
    assert (await http("PATCH", f"{MAPS}/a?fieldManager=m", meant, APPLY))[0] == 409
    cluster.apply(config_map("a"))
    assert (await http("PATCH", f"{MAPS}/a?fieldManager=m&force=true", meant, APPLY))[0] == 409
