"""Ways to write an object: merged on this side, taken over from others; and what a project allows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edge_agent.cluster import Key
from edge_agent.diff.ownership import taken_over
from edge_agent.sync.project import Project
from edge_agent.sync.three_way import ANNOTATION, MERGE, STRATEGIC, last_applied, leftovers, three_way


def deployment(*containers: str, replicas: int | None = 1, **env: str) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "template": {
            "spec": {
                "containers": [
                    {"name": name, "env": [{"name": key, "value": value} for key, value in env.items()]}
                    for name in containers
                ]
            }
        }
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def test_what_was_applied_is_noted_without_the_note_itself() -> None:
    noted = last_applied(deployment("web"))
    assert json.loads(noted["metadata"]["annotations"][ANNOTATION]) == deployment("web") | {
        "metadata": {"name": "web", "annotations": {}}
    }
    assert (
        last_applied(noted)["metadata"]["annotations"][ANNOTATION]
        == noted["metadata"]["annotations"][ANNOTATION]
    )


def test_a_field_that_left_is_taken_away_and_what_others_set_is_not_spoken_of() -> None:
    live = last_applied(deployment("web", replicas=3))
    live["spec"]["paused"] = True
    patch, how = three_way(last_applied(deployment("web", replicas=None)), live)
    assert how == STRATEGIC
    assert patch["spec"]["replicas"] is None
    assert "paused" not in patch["spec"]


def test_an_item_that_left_a_keyed_list_is_taken_out_by_its_key() -> None:
    live = last_applied(deployment("web", "sidecar", A="1", B="2"))
    patch, _ = three_way(last_applied(deployment("web", A="1")), live)
    containers = patch["spec"]["template"]["spec"]["containers"]
    assert containers[1:] == [{"$patch": "delete", "name": "sidecar"}]
    assert containers[0]["env"] == [{"name": "A", "value": "1"}, {"$patch": "delete", "name": "B"}]


def test_a_keyed_list_that_is_empty_now_loses_every_item() -> None:
    live = last_applied(deployment("web", A="1"))
    patch, _ = three_way(last_applied(deployment("web")), live)
    assert patch["spec"]["template"]["spec"]["containers"][0]["env"] == [{"$patch": "delete", "name": "A"}]


def test_a_custom_resource_is_merged_with_lists_as_a_whole() -> None:
    def widget(*names: str) -> dict[str, Any]:
        containers = [{"name": name} for name in names]
        return {
            "apiVersion": "example.com/v1",
            "kind": "Widget",
            "metadata": {"name": "w"},
            "spec": {"containers": containers},
        }

    patch, how = three_way(last_applied(widget("a")), last_applied(widget("a", "b")))
    assert how == MERGE
    assert patch["spec"]["containers"] == [{"name": "a"}]


def test_without_a_note_nothing_is_taken_away() -> None:
    patch, _ = three_way(last_applied(deployment("web", replicas=None)), deployment("web", "other"))
    assert "replicas" not in patch["spec"]
    assert len(patch["spec"]["template"]["spec"]["containers"]) == 1


@pytest.mark.parametrize("note", ["not json", "[]", ""])
def test_a_note_that_cannot_be_read_counts_as_none(note: str) -> None:
    live = deployment("web")
    live["metadata"]["annotations"] = {ANNOTATION: note}
    assert not leftovers(deployment("web"), live)
    three_way(last_applied(deployment("web")), live)


def test_an_object_merged_from_another_manifest_is_known() -> None:
    assert leftovers(deployment("web"), last_applied(deployment("web", "old")))
    assert not leftovers(deployment("web"), last_applied(deployment("web")))


def managed(manager: str, operation: str, *fields: str, **more: Any) -> dict[str, Any]:
    data: dict[str, Any] = {f"f:{name}": {} for name in fields}
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": "v1",
        "fieldsV1": {"f:data": data},
        **more,
    }


def held(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"managedFields": list(entries)}}


FORMER = {"kubectl-client-side-apply", "argocd-controller"}


def test_fields_of_former_managers_become_the_agents() -> None:
    live = held(
        managed("outrider", "Apply", "a"),
        managed("kubectl-client-side-apply", "Update", "a", "b"),
        managed("argocd-controller", "Apply", "c"),
        managed("somebody", "Update", "d"),
    )
    assert taken_over(live, "outrider", FORMER) == [
        managed("somebody", "Update", "d"),
        managed("outrider", "Apply", "a", "b", "c"),
    ]


def test_the_agents_own_other_writes_are_united_with_its_applies() -> None:
    live = held(managed("outrider", "Update", "a"))
    assert taken_over(live, "outrider", FORMER) == [managed("outrider", "Apply", "a")]


def test_a_status_is_nobodys_to_hand_over() -> None:
    status = managed("argocd-controller", "Update", "a", subresource="status")
    assert taken_over(held(status), "outrider", FORMER) is None
    within = managed("argocd-controller", "Update", "a")
    within["fieldsV1"]["f:status"] = {"f:phase": {}}
    assert taken_over(held(within), "outrider", FORMER) == [managed("outrider", "Apply", "a")]


def test_where_nobody_else_managed_there_is_nothing_to_hand_over() -> None:
    assert taken_over(held(managed("outrider", "Apply", "a")), "outrider", FORMER) is None
    assert taken_over({"metadata": {}}, "outrider", FORMER) is None


JOB, ROLE = Key("batch", "Job", "shop", "a"), Key("rbac.authorization.k8s.io", "ClusterRole", "", "admin")


def refusal(key: Key, **project: Any) -> str:
    return Project.of({"project": {"name": "till", **project}}).refusal(key)


def test_a_project_without_a_list_restricts_nothing() -> None:
    assert Project.of({}).refusal(ROLE) == ""
    assert Project.of({"project": "till"}).refusal(ROLE) == ""
    assert refusal(JOB) == refusal(ROLE) == ""


@pytest.mark.parametrize(
    ("key", "project", "says"),
    [
        (ROLE, {"clusterResourceWhitelist": []}, "doesn't allow rbac.authorization.k8s.io/ClusterRole"),
        (ROLE, {"clusterResourceWhitelist": [{"group": "*", "kind": "Cluster*"}]}, ""),
        (
            ROLE,
            {"clusterResourceWhitelist": [{"group": "*", "kind": "*", "name": "till-*"}]},
            "doesn't allow",
        ),
        (ROLE, {"clusterResourceBlacklist": [{"group": "rbac.*", "kind": "*"}]}, "clusterResourceBlacklist"),
        (ROLE, {"namespaceResourceWhitelist": []}, ""),
        (JOB, {"namespaceResourceWhitelist": []}, "namespaceResourceWhitelist"),
        (JOB, {"namespaceResourceWhitelist": [{"group": "batch", "kind": "*"}]}, ""),
        (
            JOB,
            {"namespaceResourceBlacklist": [{"group": "batch", "kind": "Job"}]},
            "project till forbids batch/Job",
        ),
        (JOB, {"clusterResourceWhitelist": []}, ""),
        (JOB, {"namespaces": ["shop"]}, ""),
        (JOB, {"namespaces": ["sh*", "!shop"]}, "doesn't allow namespace shop"),
        (JOB, {"namespaces": []}, "doesn't allow namespace shop"),
        (ROLE, {"namespaces": []}, ""),
    ],
)
def test_a_project_says_what_it_refuses_and_by_which_list(
    key: Key, project: dict[str, Any], says: str
) -> None:
    found = refusal(key, **project)
    assert says in found
    assert bool(found) == bool(says)
