"""What people do with kubectl works on a simulated cluster."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .hands import Kubectl, config_map, definition, until, workload

if TYPE_CHECKING:
    from outrider_playground.kubernetes import SimulatedCluster


async def test_apply_creates_changes_and_leaves_alone(kubectl: Kubectl) -> None:
    manifest = json.dumps(workload("Deployment", "web", replicas=2))
    assert "deployment.apps/web created" in await kubectl("apply", "-f", "-", text=manifest)
    assert "deployment.apps/web unchanged" in await kubectl("apply", "-f", "-", text=manifest)
    changed = manifest.replace("web:1", "web:2")
    assert "deployment.apps/web configured" in await kubectl("apply", "-f", "-", text=changed)
    assert "successfully rolled out" in await kubectl("rollout", "status", "deployment/web", "--timeout=10s")
    assert "2/2" in await kubectl("get", "deployment", "web")


async def test_server_side_apply_tells_who_owns_what(kubectl: Kubectl) -> None:
    first = json.dumps(config_map("shared"))
    await kubectl("apply", "--server-side", "--field-manager=first", "-f", "-", text=first)
    second = json.dumps(config_map("shared", {"a": "2"}))
    command = ("apply", "--server-side", "--field-manager=second", "-f", "-")
    assert 'conflict with "first": .data.a' in await kubectl(*command, text=second, fails=True)
    assert "serverside-applied" in await kubectl(*command, "--force-conflicts", text=second)


async def test_diff_shows_what_an_apply_would_change_and_changes_nothing(
    kubectl: Kubectl, cluster: SimulatedCluster
) -> None:
    live = cluster.apply(config_map("settings"), "kubectl")
    shown = await kubectl("diff", "-f", "-", text=json.dumps(config_map("settings", {"a": "2"})), fails=True)
    assert "-  a: " in shown
    assert "+  a: " in shown
    assert cluster.read(config_map("settings")) == live


async def test_strict_validation_names_the_unknown_field(kubectl: Kubectl) -> None:
    manifest = json.dumps({**config_map("typo"), "dta": {}})
    assert 'unknown field "dta"' in await kubectl("apply", "-f", "-", text=manifest, fails=True)


async def test_typed_commands_create_objects(kubectl: Kubectl, cluster: SimulatedCluster) -> None:
    await kubectl("create", "namespace", "shop")
    await kubectl("create", "secret", "generic", "login", "--from-literal=password=hunter2", "-n", "shop")
    await kubectl("create", "deployment", "web", "--image=web:1", "--replicas=2", "--port=80")
    await kubectl("expose", "deployment", "web", "--port=8080", "--target-port=80")
    secret = cluster.get("Secret", "login", "shop")
    deployment = cluster.get("Deployment", "web", "default", "apps/v1")
    service = cluster.get("Service", "web", "default")
    assert secret is not None
    assert secret["data"] == {"password": "aHVudGVyMg=="}
    assert deployment is not None
    assert deployment["spec"]["replicas"] == 2
    assert service is not None
    assert service["spec"]["ports"] == [{"port": 8080, "protocol": "TCP", "targetPort": 80}]


async def test_rollout_undo_goes_back_to_the_last_template(
    kubectl: Kubectl, cluster: SimulatedCluster
) -> None:
    cluster.apply(workload("Deployment", "web"))
    await kubectl("rollout", "status", "deployment/web", "--timeout=10s")
    await kubectl("set", "image", "deployment/web", "main=web:2")
    await kubectl("rollout", "status", "deployment/web", "--timeout=10s")
    await kubectl("rollout", "undo", "deployment/web")
    live = cluster.read(workload("Deployment", "web"))
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "web:1"


async def test_custom_resources_are_known_explained_scaled_and_waited_for(
    kubectl: Kubectl, cluster: SimulatedCluster
) -> None:
    await kubectl("apply", "-f", "-", text=json.dumps(definition()))
    await kubectl("wait", "--for=condition=established", "crd/widgets.example.com", "--timeout=10s")
    widget = {
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": {"name": "w"},
        "spec": {"color": "red"},
    }
    await kubectl("apply", "-f", "-", text=json.dumps(widget))
    assert "red" in await kubectl("get", "wi")
    assert "color" in await kubectl("explain", "widget.spec")
    await kubectl("scale", "widget/w", "--replicas=3")
    live = cluster.get("Widget", "w", "default", "example.com/v1")
    assert live is not None
    assert live["spec"]["replicas"] == 3


async def test_delete_waits_until_the_object_is_gone(kubectl: Kubectl, cluster: SimulatedCluster) -> None:
    cluster.apply(workload("Deployment", "web"))
    await until(lambda: bool(cluster.objects("Pod")))
    await kubectl("delete", "deployment", "web", "--cascade=foreground", "--wait")
    assert not cluster.objects("Deployment", "apps/v1")
    assert not cluster.objects("ReplicaSet", "apps/v1")
    assert not cluster.objects("Pod")


async def test_access_can_be_asked_about_and_is_refused_as_rbac_refuses(
    kubectl: Kubectl, cluster: SimulatedCluster
) -> None:
    assert await kubectl("auth", "can-i", "list", "pods") == "yes\n"
    cluster.faults.forbid("list", "pods")
    assert await kubectl("auth", "can-i", "list", "pods", fails=True) == "no\n"
    assert 'cannot list resource "pods"' in await kubectl("get", "pods", fails=True)


async def test_logs_come_once_a_container_runs(kubectl: Kubectl, cluster: SimulatedCluster) -> None:
    cluster.apply(workload("Deployment", "web"))
    await kubectl("rollout", "status", "deployment/web", "--timeout=10s")
    assert "is ready" in await kubectl("logs", "deployment/web")
