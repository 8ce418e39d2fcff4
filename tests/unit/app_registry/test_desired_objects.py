"""What the hub shows of what is desired is what the edge applies."""

import base64
import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_registry.desired_objects import desired_objects
from app_registry.scopes import scope_of
from edge_agent.sync import prepare
from edge_agent.sync.policy import Policy
from outrider.manifests.mask import masked
from outrider.manifests.names import Kind

CANARY = "c4nary-0f-a-s3cret"
CLUSTER_WIDE = {"Namespace", "ClusterRole", "CustomResourceDefinition", "StorageClass", "Planet"}
REPORTED: list[dict[str, Any]] = [
    {"group": "space.example.com", "kind": "Planet", "namespace": "", "name": "earth"},
    {"group": "example.com", "kind": "Shop", "namespace": "till", "name": "north"},
]


def served(kind: Kind) -> bool:
    """What discovery says on the cluster."""
    return kind.kind not in CLUSTER_WIDE


def manifest(kind: str, name: str = "a", api_version: str = "v1", **more: Any) -> dict[str, Any]:
    metadata = {"name": name, **more.pop("metadata", {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **more}


MANIFESTS: list[dict[str, Any]] = [
    manifest("ConfigMap", data={"a": "b"}),
    manifest("ConfigMap", "b", metadata={"namespace": "own", "uid": "x", "resourceVersion": "7"}),
    manifest("ConfigMap", "c", metadata={"labels": {"mine": "1"}, "annotations": {"mine": "2"}}),
    manifest("Secret", "door", stringData={"code": CANARY}, data={"key": None}),
    manifest("Secret", "copied", metadata={"annotations": {
        "kubectl.kubernetes.io/last-applied-configuration": f'{{"kind":"Secret","apiVersion":"v1","data":{{"code":"{CANARY}"}}}}'
    }}),
    manifest("Secret", "misspelt", stringdata={"code": CANARY}),
    manifest("Secret", "empty", data=None),
    manifest("Namespace", "shop", metadata={"namespace": "nonsense"}),
    manifest("ClusterRole", "reader", "rbac.authorization.k8s.io/v1", aggregationRule={"a": 1}, rules=[1]),
    manifest("StorageClass", "fast", "storage.k8s.io/v1"),
    manifest("Planet", "earth", "space.example.com/v1"),
    manifest("Shop", "north", "example.com/v1"),
    manifest("Job", "migrate", "batch/v1", metadata={"annotations": {"helm.sh/hook": "pre-install"}}),
    manifest("Job", "skipped", "batch/v1", metadata={"annotations": {"argocd.argoproj.io/hook": "Skip"}}),
    manifest("Job", "wrong", "batch/v1", metadata={"annotations": {"argocd.argoproj.io/hook": "Nonsense"}}),
    {"apiVersion": "v1", "kind": "List", "items": [manifest("ConfigMap", "inside"), manifest("Pod", "too")]},
    {"apiVersion": "v1", "kind": "ConfigMap"},
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "x-"}},
    {"kind": "ConfigMap", "metadata": {"name": "versionless"}},
    {"apiVersion": "v1", "metadata": {"name": "kindless"}},
    manifest("ConfigMap", "labelled", metadata={"labels": ["no map"]}),
    manifest("CustomResourceDefinition", "widgets.example.com", "apiextensions.k8s.io/v1",
             spec={"group": "widgets.example.com", "scope": "Cluster", "names": {"kind": "Widget"}}),
]  # fmt: skip


@pytest.mark.parametrize("namespace", ["till", ""])
@given(chosen=st.lists(st.sampled_from(MANIFESTS), max_size=12))
def test_the_hub_makes_of_a_bundle_what_the_edge_makes_of_it(
    namespace: str, chosen: list[dict[str, Any]]
) -> None:
    at_edge = prepare("till", copy.deepcopy(chosen), Policy(namespace), served).manifests
    at_hub = desired_objects("till", copy.deepcopy(chosen), namespace, scope_of(REPORTED))
    assert at_hub == {key: masked(one)[0] for key, one in at_edge.items()}


def test_a_kind_that_the_bundle_defines_is_placed_as_its_definition_says() -> None:
    definition = MANIFESTS[-1]
    objects = desired_objects(
        "till", [definition, manifest("Widget", "w", "widgets.example.com/v1")], "till", scope_of([])
    )
    assert [key.namespace for key in objects] == ["", ""]


def test_nothing_that_the_hub_shows_of_a_bundle_holds_a_value_of_a_secret() -> None:
    whole = repr(desired_objects("till", MANIFESTS, "till", scope_of([])))
    encoded = base64.b64encode(CANARY.encode()).decode()
    assert "door" in whole
    for hidden in (CANARY, encoded, CANARY[:6], encoded[:8]):
        assert hidden not in whole


def test_a_kind_of_which_nobody_knows_anything_has_a_namespace_unless_kubernetes_itself_says_otherwise() -> (
    None
):
    scope = scope_of(REPORTED)
    assert scope(Kind("rbac.authorization.k8s.io", "v1", "ClusterRole")) is False
    assert scope(Kind("space.example.com", "v1", "Planet")) is False
    assert scope(Kind("example.com", "v1", "Shop")) is True
    assert scope(Kind("apps", "v1", "Deployment")) is None
