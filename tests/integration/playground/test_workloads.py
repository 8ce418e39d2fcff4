"""What workloads do on a simulated cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from outrider_playground.kubernetes import ApiError, Settings, SimulatedCluster

from .hands import NAMESPACE, config_map, job, status, template, turned, until, workload

if TYPE_CHECKING:
    from collections.abc import Callable


def _available(cluster: SimulatedCluster, manifest: dict[str, Any], count: int) -> Callable[[], bool]:
    return lambda: status(cluster, manifest).get("availableReplicas") == count


def _rolled_out(cluster: SimulatedCluster, manifest: dict[str, Any]) -> Callable[[], bool]:
    def done() -> bool:
        live = cluster.read(manifest)
        found = live["status"]
        seen = found.get("observedGeneration") == live["metadata"]["generation"]
        numbers = {found.get(name) for name in ("replicas", "updatedReplicas", "availableReplicas")}
        return bool(seen and numbers == {live["spec"]["replicas"]})

    return done


def _pods(cluster: SimulatedCluster, app: str) -> list[dict[str, Any]]:
    return [pod for pod in cluster.objects("Pod") if (pod["metadata"].get("labels") or {}).get("app") == app]


async def test_a_deployment_becomes_available_once_its_pods_have_started(cluster: SimulatedCluster) -> None:
    manifest = workload("Deployment", "web", replicas=3)
    cluster.apply(manifest)
    await until(_available(cluster, manifest, 3))
    found = status(cluster, manifest)
    assert turned(found, "Progressing") == ("True", "NewReplicaSetAvailable")
    assert turned(found, "Available") == ("True", "MinimumReplicasAvailable")
    assert found["observedGeneration"] == 1


async def test_a_new_image_replaces_the_pods_without_dropping_below_what_must_be_available(
    cluster: SimulatedCluster,
) -> None:
    manifest = workload("Deployment", "web", replicas=4)
    cluster.apply(manifest)
    await until(_available(cluster, manifest, 4))
    seen: list[int] = []
    cluster.state.store.listen(lambda _: seen.append(status(cluster, manifest).get("availableReplicas", 0)))
    changed = workload("Deployment", "web", "web:2", replicas=4)
    cluster.apply(changed)
    await until(_rolled_out(cluster, manifest))
    await until(lambda: len(_pods(cluster, "web")) == 4)
    assert min(seen) >= 3
    assert {pod["spec"]["containers"][0]["image"] for pod in _pods(cluster, "web")} == {"web:2"}


async def test_a_broken_image_exceeds_the_progress_deadline_and_a_good_one_recovers(
    cluster: SimulatedCluster,
) -> None:
    manifest = workload("Deployment", "web", "web:1-broken", progressDeadlineSeconds=1)
    cluster.apply(manifest)
    await until(
        lambda: turned(status(cluster, manifest), "Progressing") == ("False", "ProgressDeadlineExceeded")
    )
    (pod,) = _pods(cluster, "web")
    assert pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "ImagePullBackOff"
    cluster.apply(workload("Deployment", "web", "web:2", progressDeadlineSeconds=1))
    await until(_available(cluster, manifest, 1))
    await until(
        lambda: turned(status(cluster, manifest), "Progressing") == ("True", "NewReplicaSetAvailable")
    )


async def test_a_rollout_with_a_broken_image_keeps_the_old_pods(cluster: SimulatedCluster) -> None:
    manifest = workload("Deployment", "web", replicas=2)
    cluster.apply(manifest)
    await until(_available(cluster, manifest, 2))
    cluster.apply(workload("Deployment", "web", "web:broken", replicas=2, progressDeadlineSeconds=1))
    await until(
        lambda: turned(status(cluster, manifest), "Progressing") == ("False", "ProgressDeadlineExceeded")
    )
    assert status(cluster, manifest)["availableReplicas"] == 2


async def test_recreate_stops_all_old_pods_before_it_starts_new_ones(cluster: SimulatedCluster) -> None:
    strategy = {"type": "Recreate"}
    manifest = workload("Deployment", "web", replicas=2, strategy=strategy)
    cluster.apply(manifest)
    await until(_available(cluster, manifest, 2))
    together: list[set[str]] = []

    def note(_: object) -> None:
        together.append({pod["spec"]["containers"][0]["image"] for pod in _pods(cluster, "web")})

    cluster.state.store.listen(note)
    cluster.apply(workload("Deployment", "web", "web:2", replicas=2, strategy=strategy))
    await until(lambda: len(_pods(cluster, "web")) == 2 and together[-1] == {"web:2"})
    assert all(len(images) <= 1 for images in together)


async def test_a_paused_deployment_rolls_nothing_out(cluster: SimulatedCluster) -> None:
    manifest = workload("Deployment", "web")
    cluster.apply(manifest)
    await until(_available(cluster, manifest, 1))
    cluster.apply(workload("Deployment", "web", "web:2", paused=True))
    await until(lambda: status(cluster, manifest).get("observedGeneration") == 2)
    assert len(cluster.objects("ReplicaSet", "apps/v1")) == 1


async def test_a_pod_that_is_deleted_is_replaced(cluster: SimulatedCluster) -> None:
    manifest = workload("Deployment", "web")
    cluster.apply(manifest)
    await until(_available(cluster, manifest, 1))
    (pod,) = _pods(cluster, "web")
    cluster.delete(pod)
    await until(
        lambda: {each["metadata"]["uid"] for each in _pods(cluster, "web")}.isdisjoint(
            {pod["metadata"]["uid"]}
        )
    )
    await until(_available(cluster, manifest, 1))


async def test_a_stateful_set_starts_its_pods_in_order_with_a_volume_each(cluster: SimulatedCluster) -> None:
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    manifest = workload("StatefulSet", "db", replicas=3, serviceName="db", volumeClaimTemplates=[claim])
    born: list[str] = []

    def note(change: Any) -> None:
        if change.storage == ("", "pods") and change.before is None:
            ready = [pod for pod in _pods(cluster, "db") if pod["status"]["phase"] == "Running"]
            born.append(f"{change.key[1]} after {len(ready)} ready")

    cluster.state.store.listen(note)
    cluster.apply(manifest)
    await until(_available(cluster, manifest, 3))
    assert born == ["db-0 after 0 ready", "db-1 after 1 ready", "db-2 after 2 ready"]
    claims = cluster.objects("PersistentVolumeClaim")
    assert [each["metadata"]["name"] for each in claims] == ["data-db-0", "data-db-1", "data-db-2"]
    await until(
        lambda: all(each["status"]["phase"] == "Bound" for each in cluster.objects("PersistentVolumeClaim"))
    )


async def test_a_stateful_set_replaces_its_pods_from_the_last_down_to_its_partition(
    cluster: SimulatedCluster,
) -> None:
    update = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    manifest = workload("StatefulSet", "db", replicas=3, serviceName="db", updateStrategy=update)
    cluster.apply(manifest)
    await until(_available(cluster, manifest, 3))
    cluster.apply(workload("StatefulSet", "db", "web:2", replicas=3, serviceName="db", updateStrategy=update))
    await until(lambda: status(cluster, manifest).get("updatedReplicas") == 2)
    await until(_available(cluster, manifest, 3))
    images = {pod["metadata"]["name"]: pod["spec"]["containers"][0]["image"] for pod in _pods(cluster, "db")}
    assert images == {"db-0": "web:1", "db-1": "web:2", "db-2": "web:2"}
    found = status(cluster, manifest)
    assert found["currentRevision"] != found["updateRevision"]


async def test_a_daemon_set_runs_on_every_node_and_is_replaced_node_by_node() -> None:
    async with SimulatedCluster(Settings(start_delay_s=0.02, stop_delay_s=0.01, nodes=3)) as cluster:
        manifest = workload("DaemonSet", "probe")
        cluster.apply(manifest)
        await until(lambda: status(cluster, manifest).get("numberAvailable") == 3)
        assert {pod["spec"]["nodeName"] for pod in _pods(cluster, "probe")} == {"node-1", "node-2", "node-3"}
        seen: list[int] = []
        cluster.state.store.listen(lambda _: seen.append(status(cluster, manifest).get("numberAvailable", 0)))
        cluster.apply(workload("DaemonSet", "probe", "web:2"))
        done = {"observedGeneration": 2, "updatedNumberScheduled": 3, "numberAvailable": 3}
        await until(lambda: done.items() <= status(cluster, manifest).items())
        assert min(seen) == 2


async def test_a_job_ends_well_when_its_pods_do(cluster: SimulatedCluster) -> None:
    manifest = job("migrate", completions=3, parallelism=2)
    cluster.apply(manifest)
    await until(lambda: turned(status(cluster, manifest), "Complete") is not None)
    found = status(cluster, manifest)
    assert found["succeeded"] == 3
    assert found["completionTime"]


async def test_a_job_whose_pods_fail_gives_up_after_its_backoff_limit(cluster: SimulatedCluster) -> None:
    manifest = job("migrate", "task:failing", backoffLimit=2)
    cluster.apply(manifest)
    await until(lambda: turned(status(cluster, manifest), "Failed") == ("True", "BackoffLimitExceeded"))
    assert status(cluster, manifest)["failed"] == 3


async def test_a_job_can_be_suspended_and_resumed(cluster: SimulatedCluster) -> None:
    manifest = job("migrate", suspend=True)
    cluster.apply(manifest)
    await until(lambda: turned(status(cluster, manifest), "Suspended") == ("True", "JobSuspended"))
    assert not cluster.objects("Pod")
    cluster.edit(manifest, {"spec": {"suspend": False}})
    await until(lambda: turned(status(cluster, manifest), "Complete") is not None)


async def test_a_finished_job_goes_after_its_time_to_live(cluster: SimulatedCluster) -> None:
    cluster.apply(job("migrate", ttlSecondsAfterFinished=0))
    await until(lambda: not cluster.objects("Job", "batch/v1") and not cluster.objects("Pod"))


async def test_a_crashing_container_is_reported_as_such(cluster: SimulatedCluster) -> None:
    cluster.apply(workload("Deployment", "web", "web:failing"))
    await until(
        lambda: bool(_pods(cluster, "web")) and "containerStatuses" in _pods(cluster, "web")[0]["status"]
    )
    (pod,) = _pods(cluster, "web")
    assert pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "CrashLoopBackOff"


async def test_a_pod_waits_for_a_config_map_that_it_needs(cluster: SimulatedCluster) -> None:
    container = {"name": "main", "image": "web:1", "envFrom": [{"configMapRef": {"name": "settings"}}]}
    manifest = workload("Deployment", "web", template=template("web", containers=[container]))
    cluster.apply(manifest)
    await until(
        lambda: bool(_pods(cluster, "web")) and "containerStatuses" in _pods(cluster, "web")[0]["status"]
    )
    waiting = _pods(cluster, "web")[0]["status"]["containerStatuses"][0]["state"]["waiting"]
    assert waiting["reason"] == "CreateContainerConfigError"
    assert "settings" in waiting["message"]
    cluster.apply(config_map("settings"))
    await until(_available(cluster, manifest, 1))


async def test_a_claim_of_an_unknown_class_stays_pending_until_the_class_comes(
    cluster: SimulatedCluster,
) -> None:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": "fast",
    }
    head = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": NAMESPACE},
    }
    claim = {**head, "spec": spec}
    cluster.apply(claim)
    await until(lambda: cluster.controllers.idle)
    assert status(cluster, claim)["phase"] == "Pending"
    made = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "fast"},
        "provisioner": "example.com/x",
    }
    cluster.apply(made)
    await until(lambda: status(cluster, claim)["phase"] == "Bound")
    cluster.delete(claim)
    await until(lambda: not cluster.objects("PersistentVolume"))


async def test_a_load_balancer_and_an_ingress_get_addresses_and_services_endpoints(
    cluster: SimulatedCluster,
) -> None:
    head = {"metadata": {"name": "web", "namespace": NAMESPACE}}
    service = {"apiVersion": "v1", "kind": "Service", **head}
    service["spec"] = {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80}]}
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        **head,
        "spec": {"defaultBackend": backend},
    }
    cluster.apply(service)
    cluster.apply(ingress)
    cluster.apply(workload("Deployment", "web"))
    await until(lambda: bool(status(cluster, service)["loadBalancer"].get("ingress")))
    await until(lambda: bool(status(cluster, ingress)["loadBalancer"].get("ingress")))

    def ready() -> bool:
        slices = cluster.objects("EndpointSlice", "discovery.k8s.io/v1")
        return any(each["conditions"]["ready"] for found in slices for each in found.get("endpoints") or ())

    await until(ready)


async def test_without_a_node_pods_stay_pending() -> None:
    async with SimulatedCluster(Settings(start_delay_s=None)) as cluster:
        manifest = workload("Deployment", "web")
        cluster.apply(manifest)
        await until(lambda: status(cluster, manifest).get("replicas") == 1)
        (pod,) = _pods(cluster, "web")
        assert pod["status"]["phase"] == "Pending"
        assert status(cluster, manifest)["unavailableReplicas"] == 1


@pytest.mark.parametrize(
    ("manifest", "field"),
    [
        (
            workload("Deployment", "web", template={"metadata": {"labels": {"app": "web"}}, "spec": {}}),
            "spec.template.spec.containers",
        ),
        (workload("Deployment", "web", template=template("other")), "spec.template.metadata.labels"),
        (workload("Deployment", "web", replicas=-1), "spec.replicas"),
        (workload("Deployment", "web", ""), "spec.template.spec.containers[0].image"),
        (
            job("j") | {"spec": {"template": {"spec": {"containers": [{"name": "a", "image": "b"}]}}}},
            "spec.template.spec.restartPolicy",
        ),
    ],
)
async def test_a_workload_that_breaks_rules_is_refused_by_field(
    cluster: SimulatedCluster, manifest: dict[str, Any], field: str
) -> None:
    with pytest.raises(ApiError) as refused:
        cluster.apply(manifest)
    assert refused.value.code == 422
    assert refused.value.details is not None
    assert [cause["field"] for cause in refused.value.details["causes"]] == [field]
