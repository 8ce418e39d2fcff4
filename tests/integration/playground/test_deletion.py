"""What a deletion takes along, and what it leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from outrider_playground.kubernetes import ApiError

from .hands import config_map, definition, job, until, workload

if TYPE_CHECKING:
    from outrider_playground.kubernetes import SimulatedCluster


def _child(name: str, *owners: dict[str, Any]) -> dict[str, Any]:
    references = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
        }
        for owner in owners
    ]
    return config_map(name, ownerReferences=references)


def _names(cluster: SimulatedCluster) -> list[str]:
    return [each["metadata"]["name"] for each in cluster.objects("ConfigMap", namespace="default")]


async def test_dependents_go_after_their_owner_at_every_depth(cluster: SimulatedCluster) -> None:
    owner = cluster.apply(config_map("owner"))
    child = cluster.apply(_child("child", owner))
    cluster.apply(_child("grandchild", child))
    cluster.delete(owner)
    assert "owner" not in _names(cluster)
    await until(lambda: _names(cluster) == [])


async def test_a_dependent_with_another_owner_stays_and_forgets_the_one_that_is_gone(
    cluster: SimulatedCluster,
) -> None:
    one, other = cluster.apply(config_map("one")), cluster.apply(config_map("other"))
    child = cluster.apply(_child("child", one, other))
    cluster.delete(one)
    await until(lambda: len(cluster.read(child)["metadata"]["ownerReferences"]) == 1)
    assert cluster.read(child)["metadata"]["ownerReferences"][0]["name"] == "other"


async def test_a_foreground_deletion_ends_with_the_owner(cluster: SimulatedCluster) -> None:
    gone: list[str] = []
    cluster.state.store.listen(lambda change: gone.append(change.key[1]) if change.deleted else None)
    owner = cluster.apply(config_map("owner"))
    child = _child("child", owner)
    child["metadata"]["ownerReferences"][0]["blockOwnerDeletion"] = True
    child["metadata"]["finalizers"] = ["example.com/hold"]
    cluster.apply(child)
    cluster.delete(owner, "Foreground")
    await until(lambda: "deletionTimestamp" in cluster.read(child)["metadata"])
    assert _names(cluster) == ["child", "owner"]
    cluster.edit(child, {"metadata": {"finalizers": None}})
    await until(lambda: _names(cluster) == [])
    assert gone == ["child", "owner"]


async def test_orphans_stay(cluster: SimulatedCluster) -> None:
    owner = cluster.apply(config_map("owner"))
    child = cluster.apply(_child("child", owner))
    cluster.delete(owner, "Orphan")
    await until(lambda: _names(cluster) == ["child"])
    assert "ownerReferences" not in cluster.read(child)["metadata"]


async def test_an_object_whose_owner_never_was_is_collected(cluster: SimulatedCluster) -> None:
    ghost = {"metadata": {"name": "ghost", "uid": "00000000-0000-4000-8000-000000000000"}}
    cluster.apply(_child("child", ghost))
    await until(lambda: _names(cluster) == [])


async def test_orphaned_replica_sets_are_adopted_by_the_next_deployment_of_that_name(
    cluster: SimulatedCluster,
) -> None:
    manifest = workload("Deployment", "web")
    cluster.apply(manifest)
    await until(lambda: cluster.read(manifest)["status"].get("availableReplicas") == 1)
    (before,) = cluster.objects("ReplicaSet", "apps/v1")
    cluster.delete(manifest, "Orphan")
    await until(lambda: not cluster.objects("Deployment", "apps/v1"))
    cluster.apply(manifest)
    await until(lambda: cluster.read(manifest)["status"].get("availableReplicas") == 1)
    (after,) = cluster.objects("ReplicaSet", "apps/v1")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]


async def test_a_job_leaves_its_pods_unless_told_otherwise(cluster: SimulatedCluster) -> None:
    manifest = job("task")
    cluster.apply(manifest)
    await until(lambda: bool(cluster.objects("Pod")))
    cluster.delete(manifest, "")
    await until(lambda: not cluster.objects("Job", "batch/v1"))
    assert len(cluster.objects("Pod")) == 1


async def test_a_namespace_goes_with_all_that_is_in_it_once_nothing_holds_it(
    cluster: SimulatedCluster,
) -> None:
    shop = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    cluster.apply(shop)
    held = config_map("held", finalizers=["example.com/hold"])
    held["metadata"]["namespace"] = "shop"
    cluster.apply(held)
    web = workload("Deployment", "web")
    web["metadata"]["namespace"] = "shop"
    cluster.apply(web)
    cluster.delete(shop)
    await until(
        lambda: not cluster.objects("Pod", namespace="shop") and not cluster.objects("Deployment", "apps/v1")
    )
    assert cluster.read(shop)["status"]["phase"] == "Terminating"
    with pytest.raises(ApiError, match="being terminated"):
        cluster.apply({**held, "metadata": {**held["metadata"], "name": "late"}})
    cluster.edit(held, {"metadata": {"finalizers": None}})
    await until(lambda: cluster.get("Namespace", "shop") is None)


async def test_a_definition_takes_its_objects_along_and_is_no_longer_served(
    cluster: SimulatedCluster,
) -> None:
    cluster.apply(definition())
    await until(lambda: cluster.state.catalog.of_kind("example.com/v1", "Widget") is not None)
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {}}
    cluster.apply(widget)
    cluster.delete(definition())
    await until(
        lambda: (
            cluster.get("CustomResourceDefinition", "widgets.example.com", "", "apiextensions.k8s.io/v1")
            is None
        )
    )
    with pytest.raises(KeyError):
        cluster.objects("Widget", "example.com/v1")
    cluster.apply(definition())
    await until(lambda: cluster.state.catalog.of_kind("example.com/v1", "Widget") is not None)
    assert cluster.objects("Widget", "example.com/v1") == []


async def test_a_namespace_that_the_cluster_needs_can_not_be_deleted(cluster: SimulatedCluster) -> None:
    with pytest.raises(ApiError) as refused:
        cluster.delete({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}})
    assert refused.value.code == 403
