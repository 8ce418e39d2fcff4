"""Names, discovery documents, delays, kubeconfigs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.cluster import (
    Access,
    Discovery,
    Key,
    Kind,
    NoAccess,
    Resource,
    UnknownKind,
    key_of,
    kind_of,
)
from edge_agent.cluster.discovery import aggregated, version_list

if TYPE_CHECKING:
    from pathlib import Path


def test_objects_of_the_core_group_and_of_others_have_their_paths() -> None:
    config_maps = Resource(Kind("", "v1", "ConfigMap"), "configmaps", namespaced=True, verbs=frozenset())
    deployments = Resource(
        Kind("apps", "v1", "Deployment"), "deployments", namespaced=True, verbs=frozenset()
    )
    nodes = Resource(Kind("", "v1", "Node"), "nodes", namespaced=False, verbs=frozenset())
    assert config_maps.path(Key("", "ConfigMap", "shop", "a")) == "/api/v1/namespaces/shop/configmaps/a"
    assert deployments.collection() == "/apis/apps/v1/deployments"
    assert deployments.right == "deployments.apps"
    assert nodes.path(Key("", "Node", "", "n")) == "/api/v1/nodes/n"


def test_a_name_cannot_lead_out_of_its_path() -> None:
    roles = Resource(Kind("", "v1", "ConfigMap"), "configmaps", namespaced=True, verbs=frozenset())
    path = roles.path(Key("", "ConfigMap", "../../kube-system", "a/../../secrets/x?y"))
    assert path.count("/") == 6
    assert "?" not in path


def test_what_a_manifest_lacks_is_empty() -> None:
    assert kind_of({}) == Kind("", "", "")
    assert key_of({"kind": "X"}) == Key("", "X", "", "")


def test_aggregated_discovery_is_read() -> None:
    document = {
        "items": [
            {
                "metadata": {"name": "apps"},
                "versions": [
                    {
                        "version": "v1",
                        "resources": [
                            {
                                "resource": "deployments",
                                "responseKind": {"group": "", "version": "", "kind": "Deployment"},
                                "scope": "Namespaced",
                                "verbs": ["list", "watch"],
                            },
                            {"resource": "odd", "scope": "Cluster"},
                        ],
                    }
                ],
            }
        ]
    }
    (found,) = aggregated(document)
    assert found.kind == Kind("apps", "v1", "Deployment")
    assert found.watchable


def test_subresources_are_no_kinds() -> None:
    entries = [
        {"name": "pods", "kind": "Pod", "namespaced": True, "verbs": ["get"]},
        {"name": "pods/log", "kind": "Pod", "namespaced": True, "verbs": ["get"]},
    ]
    assert [found.plural for found in version_list("", "v1", {"resources": entries})] == ["pods"]


class Server:
    """Answers discovery as an old server does, or not."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, Any] = {
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/apis": {
                "kind": "APIGroupList",
                "groups": [
                    {"name": "apps", "versions": [{"version": "v1"}]},
                    {"name": "down.example.com", "versions": [{"version": "v1"}]},
                ],
            },
            "/api/v1": {"resources": [{"name": "pods", "kind": "Pod", "namespaced": True}]},
            "/apis/apps/v1": {
                "resources": [{"name": "deployments", "kind": "Deployment", "namespaced": True}]
            },
        }

    async def ask(self, path: str, accept: str) -> Any:
        self.asked.append(path)
        if path not in self.answers:
            raise UnknownKind(path, "404 page not found")
        return self.answers[path]


async def test_a_group_that_cannot_be_read_fails_alone() -> None:
    server = Server()
    discovery = Discovery(server.ask)
    assert (await discovery.resource(Kind("apps", "v1", "Deployment"))).plural == "deployments"
    with pytest.raises(UnknownKind, match=r"CustomResourceDefinition"):
        await discovery.resource(Kind("down.example.com", "v1", "Thing"))


async def test_a_kind_that_comes_later_is_found_by_one_question() -> None:
    server = Server()
    discovery = Discovery(server.ask)
    kind = Kind("new.example.com", "v1", "Widget")
    with pytest.raises(UnknownKind):
        await discovery.resource(kind)
    server.answers["/apis/new.example.com/v1"] = {
        "resources": [{"name": "widgets", "kind": "Widget", "namespaced": False}]
    }
    server.asked.clear()
    assert not (await discovery.resource(kind)).namespaced
    assert server.asked == ["/apis/new.example.com/v1"]
    await discovery.resource(kind)
    assert len(server.asked) == 1


async def test_a_group_whose_definition_changed_is_asked_for_again() -> None:
    server = Server()
    discovery = Discovery(server.ask)
    kind = Kind("apps", "v1", "Deployment")
    await discovery.resource(kind)
    discovery.forget("apps")
    assert discovery.known(kind) is None
    server.answers["/apis/apps/v1"]["resources"][0]["namespaced"] = False
    assert not (await discovery.resource(kind)).namespaced


async def test_a_kubeconfig_that_is_not_there_is_named() -> None:
    with pytest.raises(NoAccess, match="/nowhere/kubeconfig"):
        await Access("/nowhere/kubeconfig").configuration()


@pytest.mark.parametrize(
    "text", ["", "[]", "clusters: 5", "current-context: x\ncontexts: []\nclusters: []\nusers: []"]
)
async def test_a_kubeconfig_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(NoAccess, match="kubeconfig"):
        await Access(str(path)).configuration()
