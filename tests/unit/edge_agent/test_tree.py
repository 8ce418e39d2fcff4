"""Who descends from whom, and what is nobody's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.cluster import Key
from edge_agent.health import Checks
from edge_agent.tree.answer import BYTES_MAX, _bounded
from edge_agent.tree.detail import _pod_info, has_detail
from edge_agent.tree.family import family
from edge_agent.tree.listing import Listing
from edge_agent.tree.orphans import Watchfulness, orphans
from edge_agent.tree.relative import Relative, is_claim_of, may_be_claim_of, relative_of


def one(
    kind: str, name: str, *owners: str, group: str = "", namespace: str = "shop", **more: Any
) -> Relative:
    api = f"{group}/v1" if group else "v1"
    metadata = {
        "name": name,
        "namespace": namespace,
        "uid": name,
        "ownerReferences": [{"uid": owner} for owner in owners],
        **more,
    }
    return relative_of({"apiVersion": api, "kind": kind, "metadata": metadata})


DEPLOYMENT = one("Deployment", "web", group="apps")
REPLICA_SET = one("ReplicaSet", "web-1", "web", group="apps")
PODS = [one("Pod", f"web-1-{number}", "web-1") for number in range(3)]


def names(found: list[Relative] | tuple[Relative, ...]) -> list[str]:
    return [each.key.name for each in found]


def test_descendants_are_found_to_any_depth_and_parents_come_first() -> None:
    chain = [one("Thing", f"t{number}", f"t{number - 1}") for number in range(1, 50)]
    found = family([one("Thing", "t0")], [*reversed(chain), *PODS], 1000)
    assert names(found.members) == [f"t{number}" for number in range(50)]
    assert found.parents["t7"] == ("t6",)
    assert not found.truncated


def test_what_others_own_is_left_out() -> None:
    found = family([DEPLOYMENT], [REPLICA_SET, *PODS, one("Pod", "other", "another")], 100)
    assert sorted(names(found.members)) == ["web", "web-1", "web-1-0", "web-1-1", "web-1-2"]


def test_owners_in_a_circle_end() -> None:
    ring = [
        one("Thing", "a", "c"),
        one("Thing", "b", "a"),
        one("Thing", "c", "b"),
        one("Thing", "d", "d", "a"),
    ]
    found = family([ring[0]], ring, 100)
    assert sorted(names(found.members)) == ["a", "b", "c", "d"]
    assert found.parents["d"] == ("a",)


def test_an_object_of_two_owners_stands_once_with_both() -> None:
    both = one("Pod", "p", "web", "web-1")
    found = family([DEPLOYMENT], [REPLICA_SET, both], 100)
    assert names(found.members).count("p") == 1
    assert found.parents["p"] == ("web", "web-1")


def test_a_tree_has_a_bound_and_says_that_it_was_reached() -> None:
    found = family([DEPLOYMENT], [one("Pod", f"p{number}", "web") for number in range(50)], 20)
    assert len(found.members) == 20
    assert found.truncated


def test_endpoints_belong_to_their_service_by_name() -> None:
    service = one("Service", "till")
    found = family([service], [one("Endpoints", "till", uid="e"), one("Endpoints", "other")], 100)
    assert [(each.key.kind, each.key.name) for each in found.members] == [
        ("Service", "till"),
        ("Endpoints", "till"),
    ]
    assert family([service], [one("Endpoints", "till", namespace="elsewhere")], 100).members == (service,)


def test_claims_belong_to_the_stateful_set_that_makes_them() -> None:
    stateful_set = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db", "namespace": "shop"},
        "spec": {"volumeClaimTemplates": [{"metadata": {"name": "data"}}]},
    }
    key = Key("apps", "StatefulSet", "shop", "db")
    for name, candidate, made in (
        ("data-db-0", True, True),
        ("data-db-12", True, True),
        ("logs-db-0", True, False),
        ("data-db", False, False),
        ("data-other-0", False, False),
    ):
        claim = Key("", "PersistentVolumeClaim", "shop", name)
        assert may_be_claim_of(claim, key) is candidate
        assert is_claim_of(claim, stateful_set) is made


def test_a_token_belongs_to_its_service_account() -> None:
    account = {"kubernetes.io/service-account.name": "till", "kubernetes.io/service-account.uid": "sa"}
    assert one("Secret", "till-token", annotations=account).owners == ("sa",)
    assert one("ConfigMap", "till-token", annotations=account).owners == ()


def watchful(**asked: Any) -> Watchfulness:
    project = {"orphanedResources": asked.pop("orphaned", {}), **asked}
    found = Watchfulness.of({"destination": {"namespace": "shop"}, "project": project})
    assert found
    return found


def test_orphans_are_what_no_application_and_no_owner_has() -> None:
    found = [
        one("ConfigMap", "lost"),
        one("Pod", "owned", "gone-owner"),
        one("ConfigMap", "ours", labels={"app.outrider.dev/name": "till"}),
        one("ConfigMap", "of-a-former-one", labels={"app.outrider.dev/name": "removed"}),
        one("ConfigMap", "elsewhere", namespace="other"),
    ]
    assert names(orphans(found, watchful(), frozenset({"till"}))) == ["lost", "of-a-former-one"]


@pytest.mark.parametrize(
    "made",
    [
        one("ServiceAccount", "default"),
        one("ConfigMap", "kube-root-ca.crt"),
        one("Endpoints", "nothing"),
        one("EndpointSlice", "x", group="discovery.k8s.io"),
        one("ControllerRevision", "x", group="apps"),
    ],
)
def test_what_every_namespace_has_is_no_orphan(made: Relative) -> None:
    assert orphans([made], watchful(), frozenset()) == []


def test_the_kubernetes_service_is_no_orphan_where_it_lives() -> None:
    spec = {"destination": {"namespace": "default"}, "project": {"orphanedResources": {}}}
    default = Watchfulness.of(spec)
    assert default
    assert orphans([one("Service", "kubernetes", namespace="default")], default, frozenset()) == []
    assert names(orphans([one("Service", "kubernetes")], watchful(), frozenset())) == ["kubernetes"]


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        ({"kind": "ConfigMap"}, ["s1"]),
        ({"kind": "Config*", "name": "c1"}, ["c2", "s1"]),
        ({"kind": "Secret", "name": "s?"}, ["c1", "c2"]),
        ({"group": "apps", "kind": "ConfigMap"}, ["c1", "c2", "s1"]),
        ({"name": "*1"}, ["c2"]),
    ],
)
def test_the_project_leaves_out_what_it_lists(rule: dict[str, str], left: list[str]) -> None:
    found = [one("ConfigMap", "c1"), one("ConfigMap", "c2"), one("Secret", "s1")]
    assert names(orphans(found, watchful(orphaned={"ignore": [rule]}), frozenset())) == left


def test_what_the_project_does_not_permit_is_no_orphan() -> None:
    denied = watchful(namespaceResourceBlacklist=[{"group": "", "kind": "Secret"}])
    assert names(orphans([one("Secret", "s"), one("ConfigMap", "c")], denied, frozenset())) == ["c"]


def test_nobody_looks_for_orphans_unless_the_project_asks() -> None:
    for project in ({}, None, {"orphanedResources": None}):
        assert Watchfulness.of({"project": project}) is None
    assert watchful().warn
    assert not watchful(orphaned={"warn": False}).warn


def test_what_has_a_check_or_a_script_of_the_hub_is_looked_at_closer() -> None:
    checks = Checks({"*.example.com/*": {"lua": "return {}"}})
    assert has_detail(PODS[0], checks)
    assert has_detail(one("Robot", "r", group="a.example.com"), checks)
    assert not has_detail(one("Robot", "r", group="a.example.com"), Checks())
    assert not has_detail(one("Pod", "p", deletionTimestamp="2026-01-01T00:00:00Z"), checks)


def test_a_pod_is_told_in_a_few_words() -> None:
    waiting = {"ready": False, "restartCount": 4, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    pod = {
        "spec": {"containers": [{}, {}], "nodeName": "n1"},
        "status": {"phase": "Running", "containerStatuses": [{"ready": True}, waiting]},
    }
    assert dict(_pod_info(pod)) == {
        "Status Reason": "CrashLoopBackOff",
        "Node": "n1",
        "Containers": "1/2",
        "Restart Count": "4",
    }
    ended = {"state": {"terminated": {"reason": "Completed"}}}
    assert dict(_pod_info({"status": {"phase": "Succeeded", "containerStatuses": [ended]}})) == {
        "Status Reason": "Succeeded",
        "Containers": "0/0",
    }


def test_an_answer_is_bounded_in_bytes_and_says_so() -> None:
    nodes = [{"name": f"n{number}", "health": {"message": "x" * 1000}} for number in range(3000)]
    answer = _bounded(nodes, [{"name": "orphan"}], Listing(), truncated=False)
    assert answer["truncated"]
    assert answer["nodes"] == nodes[: len(answer["nodes"])]
    assert len(json.dumps(answer)) < BYTES_MAX * 1.1
    small = _bounded(nodes[:10], [{"name": "orphan"}], Listing(), truncated=False)
    assert not small["truncated"]
    assert small["orphaned"] == [{"name": "orphan"}]


UIDS = st.sampled_from([str(number) for number in range(12)])


@given(st.lists(st.tuples(UIDS, st.lists(UIDS, max_size=3)), max_size=30), UIDS, st.integers(1, 12))
def test_whatever_the_references_say_the_walk_ends_and_nobody_stands_twice(
    references: list[tuple[str, list[str]]], root: str, limit: int
) -> None:
    heap = list({uid: one("Thing", uid, *owners) for uid, owners in references}.values())
    found = family([one("Thing", root)], heap, limit)
    uids = [each.uid for each in found.members]
    assert len(uids) == len(set(uids)) <= limit
    assert all(parent in uids and parent != uid for uid in uids for parent in found.parents[uid])
    assert all(found.parents[uid] for uid in uids if uid != root)
