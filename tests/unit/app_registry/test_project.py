"""A project's rules, applied to one application."""

from typing import Any

import pytest

from app_registry.project import IMPLICIT_DEFAULT, Asked, Place, Project
from outrider.spec.app_project import AppProjectSpec

SERVER = "https://shop1.example.com:6443"
EVERYWHERE = [{"server": "*", "namespace": "*"}]


def project(**spec: Any) -> Project:
    return Project(
        "shops", AppProjectSpec.model_validate({"sourceRepos": ["*"], "destinations": EVERYWHERE, **spec})
    )


def asked(url: str = "https://git.example.com/a/b.git", **place: str) -> Asked:
    return Asked(
        "till", (url,), Place(**{"cluster": "shop1", "server": SERVER, "namespace": "shop", **place})
    )


@pytest.mark.parametrize(
    ("patterns", "url", "permitted"),
    [
        (["*"], "https://git.example.com/a/b", True),
        ([], "https://git.example.com/a/b", False),
        (["https://git.example.com/a/b"], "https://git.example.com/a/b.git", True),
        (["https://git.example.com/a/b.git"], "https://GIT.example.com:443/a/b", True),
        (["https://git.example.com/a/*"], "https://git.example.com/a/b", True),
        (["https://git.example.com/a/*"], "https://git.example.com/a/b/c", False),
        (["https://git.example.com/**"], "https://git.example.com/a/b/c", True),
        (["https://git.example.com/*"], "https://evil.example.com/git.example.com/a", False),
        (["git@git.example.com:a/*"], "ssh://git@git.example.com/a/b.git", True),
        (["*", "!https://git.example.com/a/secret"], "https://git.example.com/a/b", True),
        (["*", "!https://git.example.com/a/secret"], "https://git.example.com/a/secret.git", False),
        (["*", "!https://git.example.com/a/secret"], "https://me@git.example.com:443//a/%73ecret/", False),
        (["!https://git.example.com/a/*"], "https://git.example.com/b/c", True),
        (["https://git.example.com/a/*"], "https://git.example.com/a/%2e%2e%2fb", False),
    ],
)
def test_repositories_are_permitted_whatever_way_they_are_written_down(
    patterns: list[str], url: str, permitted: bool
) -> None:
    refusals = project(sourceRepos=patterns).refusals(asked(url))
    assert refusals == (
        [] if permitted else [f"spec.source: project 'shops' does not permit repository {url}"]
    )


@pytest.mark.parametrize(
    ("rules", "place", "permitted"),
    [
        (EVERYWHERE, {}, True),
        (EVERYWHERE, {"server": ""}, True),
        ([], {}, False),
        ([{"name": "shop*", "namespace": "shop"}], {}, True),
        ([{"name": "shop*", "namespace": "shop"}], {"namespace": "other"}, False),
        ([{"name": "shop*", "namespace": "shop"}], {"namespace": ""}, False),
        ([{"name": "bar*", "namespace": "*"}], {}, False),
        ([{"server": SERVER, "namespace": "*"}], {}, True),
        ([{"server": "https://*.example.com:6443", "namespace": "*"}], {}, True),
        ([{"server": "https://*.example.com:6443", "namespace": "*"}], {"server": ""}, False),
        ([*EVERYWHERE, {"server": "*", "namespace": "!kube-*"}], {"namespace": "kube-system"}, False),
        ([*EVERYWHERE, {"name": "!shop1", "namespace": "*"}], {}, False),
        ([*EVERYWHERE, {"name": "!shop1", "namespace": "*"}], {"cluster": "shop2"}, True),
        ([{"server": "*", "namespace": "!kube-system"}], {}, True),
        ([*EVERYWHERE, {"server": "!https://secret", "namespace": "*"}], {"server": ""}, True),
    ],
)
def test_destinations_are_permitted_by_cluster_server_and_namespace(
    rules: list[dict[str, str]], place: dict[str, str], permitted: bool
) -> None:
    assert (project(destinations=rules).refusals(asked(**place)) == []) is permitted


def test_the_implicit_default_permits_everything_and_tells_the_edge_nothing() -> None:
    assert IMPLICIT_DEFAULT.refusals(asked()) == []
    assert IMPLICIT_DEFAULT.for_edge(asked()) == {}


@pytest.mark.parametrize(
    ("rules", "namespaces"),
    [
        (EVERYWHERE, None),
        ([{"name": "shop1", "namespace": "a"}, {"name": "bar", "namespace": "b"}], ["a"]),
        ([{"name": "shop*", "namespace": "{a,b}-*"}], ["a-*", "b-*"]),
        ([*EVERYWHERE, {"name": "bar", "namespace": "!kube-system"}], ["*", "!kube-system"]),
        ([{"server": "*", "namespace": "!kube-system"}], ["!kube-system", "*"]),
    ],
)
def test_the_edge_is_told_which_of_its_namespaces_are_permitted(
    rules: list[dict[str, str]], namespaces: list[str] | None
) -> None:
    spec = project(destinations=rules, clusterResourceWhitelist=[{"group": "*", "kind": "*"}])
    assert spec.for_edge(asked()).get("namespaces") == namespaces


def test_a_list_that_permits_all_is_left_out_and_one_that_permits_none_is_not() -> None:
    everything = [{"group": "*", "kind": "*"}]
    told = project(clusterResourceWhitelist=everything, namespaceResourceWhitelist=everything)
    assert told.for_edge(asked()) == {}
    told = project(namespaceResourceWhitelist=[])
    assert told.for_edge(asked()) == {
        "name": "shops",
        "clusterResourceWhitelist": [],
        "namespaceResourceWhitelist": [],
    }
    told = project(clusterResourceWhitelist=[{"group": "", "kind": "{Namespace,Node}", "name": "shop-*"}])
    assert told.for_edge(asked())["clusterResourceWhitelist"] == [
        {"group": "", "kind": "Namespace", "name": "shop-*"},
        {"group": "", "kind": "Node", "name": "shop-*"},
    ]


@pytest.mark.parametrize(
    ("selectors", "concerned"),
    [
        ({"applications": ["till"]}, True),
        ({"applications": ["menu"]}, False),
        ({"clusters": ["shop*"]}, True),
        ({"clusters": [SERVER]}, True),
        ({"namespaces": ["shop"]}, True),
        ({"applications": ["menu"], "clusters": ["shop1"]}, True),
        ({"applications": ["menu"], "clusters": ["shop1"], "andOperator": True}, False),
        ({"applications": ["till"], "clusters": ["shop1"], "andOperator": True}, True),
    ],
)
def test_a_window_travels_to_the_applications_that_it_selects(
    selectors: dict[str, Any], concerned: bool
) -> None:
    window = {"kind": "deny", "schedule": "0 8 * * *", "duration": "2h", **selectors}
    told = project(syncWindows=[window]).for_edge(asked())
    assert ("windows" in told) is concerned
    assert not {"applications", "clusters", "namespaces"} & set(told.get("windows", [{}])[0])
