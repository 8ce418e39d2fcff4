"""From a bundle to what is wanted on this cluster."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from edge_agent.cluster import Key, Kind
from edge_agent.sync import Prepared, kinds_in, prepare, tracked_to
from edge_agent.sync import options as sync_options
from edge_agent.sync.durations import duration_s
from edge_agent.sync.order import rank, wave
from edge_agent.sync.policy import Policy, policy_of
from outrider.manifests.tracking import ANNOTATION, LABEL, claimed_by, label_value

CLUSTER_WIDE = {"Namespace", "ClusterRole", "CustomResourceDefinition"}


def scope(kind: Kind) -> bool | None:
    return None if kind.group == "example.com" else kind.kind not in CLUSTER_WIDE


def manifest(
    kind: str = "ConfigMap", name: str = "a", api_version: str = "v1", **more: Any
) -> dict[str, Any]:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name, **more.pop("metadata", {})},
        **more,
    }


def annotated(kind: str, name: str, **annotations: str) -> dict[str, Any]:
    names = {
        "wave": "argocd.argoproj.io/sync-wave",
        "hook": "argocd.argoproj.io/hook",
        "helm": "helm.sh/hook",
    }
    return manifest(
        kind, name, metadata={"annotations": {names[key]: value for key, value in annotations.items()}}
    )


def prepared(*manifests: dict[str, Any], namespace: str = "shop") -> Prepared:
    return prepare("till", manifests, Policy(namespace), scope)


def names(result: Prepared) -> list[str]:
    return [entry.key.name for entry in result.entries]


CRD = manifest(
    "CustomResourceDefinition",
    "widgets.example.com",
    "apiextensions.k8s.io/v1",
    spec={"group": "example.com", "scope": "Cluster", "names": {"kind": "Widget", "plural": "widgets"}},
)


def test_an_object_without_a_namespace_goes_to_the_destination() -> None:
    result = prepared(manifest(), manifest(name="b", metadata={"namespace": "own"}))
    assert [entry.key.namespace for entry in result.entries] == ["shop", "own"]
    assert result.manifests[Key("", "ConfigMap", "shop", "a")]["metadata"]["namespace"] == "shop"


def test_a_cluster_scoped_object_has_no_namespace() -> None:
    result = prepared(
        manifest("ClusterRole", "reader", "rbac.authorization.k8s.io/v1", metadata={"namespace": "x"})
    )
    (entry,) = result.entries
    assert entry.key.namespace == ""
    assert "namespace" not in result.manifests[entry.key]["metadata"]


def test_every_object_says_which_application_it_belongs_to() -> None:
    result = prepared(manifest(metadata={"labels": {"mine": "1"}, "annotations": {"mine": "2"}}))
    (found,) = result.manifests.values()
    assert found["metadata"]["annotations"] == {"mine": "2", ANNOTATION: "till:/ConfigMap:shop/a"}
    assert found["metadata"]["labels"] == {"mine": "1", LABEL: "till"}
    assert tracked_to(found) == "till"


def test_the_bundle_itself_is_left_as_it_is() -> None:
    given = [manifest("Secret", stringData={"a": "b"}), CRD]
    before = copy.deepcopy(given)
    prepare("till", given, Policy("shop"), scope)
    assert given == before


def test_what_only_the_server_writes_is_left_out() -> None:
    result = prepared(
        manifest(
            metadata={"uid": "u", "resourceVersion": "1", "managedFields": [], "creationTimestamp": None}
        )
    )
    (found,) = result.manifests.values()
    assert set(found["metadata"]) == {"name", "namespace", "labels", "annotations"}


def test_string_data_of_a_secret_is_applied_as_the_data_that_it_becomes() -> None:
    result = prepared(manifest("Secret", stringData={"password": "hunter2"}, data={"user": "cm9vdA=="}))
    (found,) = result.manifests.values()
    assert found["data"] == {"user": "cm9vdA==", "password": "aHVudGVyMg=="}
    assert "stringData" not in found


def test_lists_are_taken_apart() -> None:
    result = prepared({"apiVersion": "v1", "kind": "List", "items": [manifest(name="a"), manifest(name="b")]})
    assert names(result) == ["a", "b"]
    assert kinds_in([{"apiVersion": "v1", "kind": "List", "items": [manifest()]}]) == {
        Kind("", "v1", "ConfigMap")
    }


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({"kind": "ConfigMap", "metadata": {"name": "x"}}, "apiVersion is missing"),
        ({"apiVersion": "v1", "metadata": {"name": "x"}}, "kind is missing"),
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}, "metadata.name is missing"),
        ({"apiVersion": "v1", "kind": "ConfigMap"}, "metadata.name is missing"),
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": "x"}, "metadata.name is missing"),
        (
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "labels": []}},
            "metadata.labels must be a map",
        ),
    ],
)
def test_a_manifest_that_is_no_object_is_named_and_keeps_no_other_from_being_prepared(
    broken: dict[str, Any], says: str
) -> None:
    result = prepared(manifest(name="good"), broken)
    assert names(result) == ["good"]
    (problem,) = result.problems
    assert says in str(problem)
    assert "x" in problem.what or "number 2" in problem.what


def test_of_the_same_object_twice_the_later_one_counts() -> None:
    result = prepared(manifest(data={"v": "1"}), manifest(data={"v": "2"}))
    assert result.repeated == (Key("", "ConfigMap", "shop", "a"),)
    (found,) = result.manifests.values()
    assert found["data"] == {"v": "2"}


def test_objects_are_ordered_by_wave_kind_and_name() -> None:
    result = prepared(
        manifest("Widget", "z", "other.example/v1"),
        manifest("Deployment", "b", "apps/v1"),
        manifest("Deployment", "a", "apps/v1"),
        annotated("Deployment", "early", wave="-1"),
        annotated("ConfigMap", "late", wave="5"),
        manifest("Service", "s"),
        manifest("ConfigMap", "c"),
        manifest("Namespace", "n"),
    )
    assert names(result) == ["early", "n", "c", "s", "a", "b", "z", "late"]


def test_kinds_that_are_not_listed_come_last() -> None:
    assert (
        rank("Namespace")
        < rank("CustomResourceDefinition")
        < rank("Deployment")
        < rank("APIService")
        < rank("Widget")
    )


def test_a_namespace_comes_no_later_than_what_goes_into_it() -> None:
    late = annotated("Namespace", "shop", wave="3")
    result = prepared(annotated("ConfigMap", "first", wave="-2"), late)
    assert names(result) == ["shop", "first"]
    assert result.entries[1].needs == (Key("", "Namespace", "", "shop"),)
    assert {entry.wave for entry in result.entries} == {-2}


def test_a_definition_comes_before_its_objects_and_gives_their_scope() -> None:
    result = prepared(manifest("Widget", "w", "example.com/v1"), CRD)
    assert names(result) == ["widgets.example.com", "w"]
    assert result.entries[1].key.namespace == ""
    assert result.entries[1].needs == (result.entries[0].key,)


def test_a_kind_that_nobody_knows_is_taken_for_namespaced() -> None:
    (entry,) = prepared(manifest("Widget", "w", "example.com/v1")).entries
    assert entry.key.namespace == "shop"


def test_the_digest_of_an_object_follows_its_content_and_nothing_else() -> None:
    one, same = prepared(manifest(data={"a": "1", "b": "2"})), prepared(manifest(data={"b": "2", "a": "1"}))
    other = prepared(manifest(data={"a": "1"}))
    assert one.entries[0].digest == same.entries[0].digest != other.entries[0].digest


def test_what_is_ignored_of_an_object_is_a_part_of_its_digest() -> None:
    policy = policy_of({"ignoreDifferences": [{"kind": "ConfigMap", "jsonPointers": ["/data/a"]}]})
    plain, ignoring = (
        prepared(manifest()),
        prepare("till", [manifest()], Policy("shop", ignore=policy.ignore), scope),
    )
    assert plain.entries[0].digest != ignoring.entries[0].digest


@pytest.mark.parametrize("hook", ["Skip"])
def test_objects_that_are_to_be_skipped_are_not_wanted(hook: str) -> None:
    assert names(prepared(annotated("ConfigMap", "x", hook=hook))) == []


@pytest.mark.parametrize("hook", ["test", "test-success", "pre-rollback"])
def test_helm_tests_and_rollback_hooks_are_ignored(hook: str) -> None:
    assert names(prepared(annotated("Pod", "x", helm=hook))) == []


def test_a_hook_is_kept_apart_from_the_objects() -> None:
    result = prepared(annotated("Job", "x", helm="post-install,test"), manifest())
    assert names(result) == ["a"]
    assert [(hook.key.name, hook.phase) for hook in result.hooks] == [("x", "PostSync")]


def test_argo_cds_hook_annotation_counts_before_helms() -> None:
    (hook,) = prepared(annotated("Job", "x", helm="test", hook="PostSync")).hooks
    assert hook.phase == "PostSync"


@pytest.mark.parametrize(("value", "expected"), [("7", 7), ("-3", -3), ("x", 0), ("", 0)])
def test_a_wave_that_is_no_number_is_wave_zero(value: str, expected: int) -> None:
    assert wave(annotated("ConfigMap", "x", wave=value)) == expected


def test_helms_hook_weight_counts_as_a_wave() -> None:
    assert wave(manifest(metadata={"annotations": {"helm.sh/hook-weight": "4"}})) == 4


def test_an_objects_own_option_overrides_the_applications() -> None:
    own = sync_options.of_object(
        manifest(metadata={"annotations": {"argocd.argoproj.io/sync-options": "Prune=false, Validate=true"}})
    )
    general = sync_options.parse(["Prune=true", "Validate=false"])
    assert not sync_options.enabled("Prune", own, general, default=True)
    assert sync_options.enabled("Validate", own, general)
    assert sync_options.enabled("Delete", own, general, default=True)


def test_helms_keep_policy_keeps_an_object_from_prune_and_deletion() -> None:
    own = sync_options.of_object(manifest(metadata={"annotations": {"helm.sh/resource-policy": "keep"}}))
    assert own == {"Prune": "false", "Delete": "false"}


def test_a_copied_object_belongs_to_nobody() -> None:
    (found,) = prepared(manifest()).manifests.values()
    found["metadata"]["name"] = "copy"
    assert tracked_to(found) is None
    assert claimed_by(found) == "till"


def test_an_object_whose_label_and_annotation_disagree_belongs_to_nobody() -> None:
    (found,) = prepared(manifest()).manifests.values()
    found["metadata"]["labels"][LABEL] = "other"
    assert tracked_to(found) is None


def test_a_cluster_scoped_object_that_argo_cd_tracked_is_recognised() -> None:
    found = manifest(
        "Namespace",
        "n",
        metadata={"labels": {LABEL: "till"}, "annotations": {ANNOTATION: "till:/Namespace:shop/n"}},
    )
    assert tracked_to(found) == "till"


def test_an_application_name_too_long_for_a_label_still_tells_applications_apart() -> None:
    one, other = "a" * 80 + "1", "a" * 80 + "2"
    assert len(label_value(one)) <= 63
    assert label_value(one) != label_value(other)
    result = prepare(one, [manifest()], Policy("shop"), scope)
    assert tracked_to(next(iter(result.manifests.values()))) == one


@pytest.mark.parametrize(
    ("automated", "on"), [(None, False), ({}, True), ({"enabled": False}, False), ({"enabled": True}, True)]
)
def test_automated_sync_is_on_by_its_presence_and_off_by_its_word(
    automated: dict[str, Any] | None, on: bool
) -> None:
    assert policy_of({"syncPolicy": {"automated": automated}}).automated is on


def test_a_policy_is_read_from_an_argo_cd_spec() -> None:
    policy = policy_of(
        {
            "destination": {"namespace": "shop"},
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True, "allowEmpty": True},
                "syncOptions": ["CreateNamespace=true", "FailOnSharedResource=false"],
                "retry": {"limit": 3, "backoff": {"duration": "1m30s", "factor": 3, "maxDuration": "1h"}},
            },
            "ignoreDifferences": [{"kind": "Service", "jsonPointers": ["/spec"]}],
        }
    )
    assert (policy.namespace, policy.prune, policy.self_heal, policy.allow_empty) == (
        "shop",
        True,
        True,
        True,
    )
    assert policy.on("CreateNamespace")
    assert not policy.on("FailOnSharedResource")
    assert policy.retry_limit == 3
    assert (policy.backoff.first_s, policy.backoff.factor, policy.backoff.cap_s) == (90.0, 3.0, 3600.0)
    assert len(policy.ignore) == 1


@pytest.mark.parametrize("limit", [None, -1])
def test_without_a_limit_a_sync_is_tried_again_for_ever(limit: int | None) -> None:
    assert policy_of({"syncPolicy": {"retry": {"limit": limit}}}).retry_limit is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90", 90.0), ("500ms", 0.5), ("1h2m3s", 3723.0), ("", 9.0), (None, 9.0), ("soon", 9.0), (7, 7.0)],
)
def test_durations_are_read_as_argo_cd_writes_them(text: Any, expected: float) -> None:
    assert duration_s(text, 9.0) == expected
