"""A custom resource with two versions is one set of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .hands import Http, definition, until

if TYPE_CHECKING:
    from outrider_playground.kubernetes import SimulatedCluster


async def test_an_object_written_in_one_version_is_read_in_the_other(
    cluster: SimulatedCluster, http: Http
) -> None:
    made = definition()
    (version,) = made["spec"]["versions"]
    made["spec"]["versions"] = [version, {**version, "name": "v2", "storage": False}]
    cluster.apply(made)
    await until(lambda: cluster.state.catalog.of_kind("example.com/v2", "Widget") is not None)
    widget = {
        "apiVersion": "example.com/v2",
        "kind": "Widget",
        "metadata": {"name": "w"},
        "spec": {"color": "red"},
    }
    assert (await http("POST", "/apis/example.com/v2/namespaces/default/widgets", widget))[0] == 201
    _, read = await http("GET", "/apis/example.com/v1/namespaces/default/widgets/w")
    assert (read["apiVersion"], read["spec"]["color"]) == ("example.com/v1", "red")
    _, groups = await http("GET", "/apis/example.com")
    assert [each["version"] for each in groups["versions"]] == ["v1", "v2"]


async def test_a_version_that_is_no_longer_served_is_gone(cluster: SimulatedCluster, http: Http) -> None:
    made = definition()
    (version,) = made["spec"]["versions"]
    made["spec"]["versions"] = [version, {**version, "name": "v2", "storage": False}]
    cluster.apply(made)
    await until(lambda: cluster.state.catalog.of_kind("example.com/v2", "Widget") is not None)
    made["spec"]["versions"][1]["served"] = False
    cluster.apply(made)
    await until(lambda: cluster.state.catalog.of_kind("example.com/v2", "Widget") is None)
    assert (await http("GET", "/apis/example.com/v2/namespaces/default/widgets"))[0] == 404
    assert (await http("GET", "/apis/example.com/v1/namespaces/default/widgets"))[0] == 200
