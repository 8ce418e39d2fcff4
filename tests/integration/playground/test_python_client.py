"""The Python client that the agent is built on works on a simulated cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kubernetes_asyncio import client, config, watch

from .hands import config_map, until, workload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from outrider_playground.kubernetes import SimulatedCluster


@pytest.fixture
async def api(cluster: SimulatedCluster, tmp_path: Path) -> AsyncIterator[client.ApiClient]:
    settings = client.Configuration()
    path = cluster.write_kubeconfig(tmp_path / "kubeconfig")
    await config.load_kube_config(config_file=str(path), client_configuration=settings)
    async with client.ApiClient(settings) as made:
        yield made


def _typed(manifest: Any) -> Any:
    """Pass plain JSON where the client's types ask for its models; it takes either."""
    return manifest


async def test_objects_are_created_listed_patched_and_deleted(api: client.ApiClient) -> None:
    core = client.CoreV1Api(api)
    await core.create_namespaced_config_map("default", _typed(config_map("settings", labels={"app": "web"})))
    listed = await core.list_namespaced_config_map("default", label_selector="app=web")
    assert [each.metadata.name for each in listed.items] == ["settings"]
    changed = await core.patch_namespaced_config_map("settings", "default", {"data": {"b": "2"}})
    assert changed.data == {"a": "1", "b": "2"}
    await core.delete_namespaced_config_map("settings", "default")
    with pytest.raises(client.ApiException, match="404"):
        await core.read_namespaced_config_map("settings", "default")


async def test_a_deployment_becomes_available_under_a_watch(api: client.ApiClient) -> None:
    apps = client.AppsV1Api(api)
    await apps.create_namespaced_deployment("default", _typed(workload("Deployment", "web", replicas=2)))
    async with watch.Watch().stream(apps.list_namespaced_deployment, "default", timeout_seconds=10) as events:
        async for event in events:
            if event["object"].status.available_replicas == 2:
                break
    pods = await client.CoreV1Api(api).list_namespaced_pod("default", label_selector="app=web")
    assert {each.status.phase for each in pods.items} == {"Running"}


async def test_the_scale_of_a_deployment_is_set(api: client.ApiClient, cluster: SimulatedCluster) -> None:
    cluster.apply(workload("Deployment", "web"))
    apps = client.AppsV1Api(api)
    await apps.patch_namespaced_deployment_scale("web", "default", {"spec": {"replicas": 3}})
    await until(lambda: cluster.read(workload("Deployment", "web"))["status"].get("availableReplicas") == 3)
