"""A hub for measurements: `outrider up` as a process of its own, filled through the requests that the command line makes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

from outrider import subjects
from outrider.bus.model import User
from outrider.bus.services import ask
from outrider.identity.credentials import Credentials
from outrider.identity.keys import generate
from outrider_playground.demo.edge import Edge, running_edge
from outrider_playground.demo.hub import Hub, OneNodeHub, running_hub
from outrider_playground.demo.repository import Repository

ASKED_AT_ONCE = 32
LOOKS_EVERY_S = 0.2
PROCESSES = {
    "nats-server": "nats", "status_aggregator": "aggregator", "app_registry": "registry", "repo_renderer": "renderer",
}  # fmt: skip


async def add_cluster(hub: Hub, name: str, folder: Path) -> Path:
    """Register a cluster; return its credentials file."""
    key = generate("user")
    answer = await ask(
        hub.connection,
        subjects.registry("cluster.add"),
        {"name": name, "public_key": key.public, "labels": {}},
    )
    file = folder / f"{name}.creds"
    user = User(name, answer["jwt"], key.seed)
    found = Credentials(user, tuple(answer["servers"]), answer["ca_pem"], tuple(answer["hub_keys"]))
    await asyncio.to_thread(found.write, file)
    return file


async def add_clusters(hub: Hub, names: list[str], folder: Path) -> None:
    """Register clusters, several at a time; their credentials are files in a folder."""
    await _several(add_cluster(hub, name, folder) for name in names)


async def apply_all(hub: Hub, manifests: list[dict[str, Any]]) -> None:
    """Apply Applications, several at a time."""
    apply = subjects.registry("app.apply")
    await _several(ask(hub.connection, apply, {"manifest": manifest}, timeout_s=60) for manifest in manifests)


async def _several(requests: Iterable[Awaitable[object]]) -> None:
    waiting = iter(requests)

    async def work() -> None:
        for request in waiting:
            await request

    async with asyncio.TaskGroup() as tasks:
        for number in range(ASKED_AT_ONCE):
            tasks.create_task(work(), name=f"ask {number}")


def application(name: str, cluster: str, repo_url: str, path: str) -> dict[str, Any]:
    """Return an Argo CD Application with automated sync."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "finalizers": ["resources-finalizer.argocd.argoproj.io"]},
        "spec": {
            "project": "default",
            "source": {"repoURL": repo_url, "path": path, "targetRevision": "main"},
            "destination": {"name": cluster, "namespace": path},
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True},
                "syncOptions": ["CreateNamespace=true"],
            },
        },
    }


def workload(name: str, image: str) -> list[dict[str, Any]]:
    """Return four objects: a Deployment, its Service, a ConfigMap and a ServiceAccount."""
    labels = {"app": name}
    container = {
        "name": "main",
        "image": image,
        "env": [{"name": f"E{n}", "value": f"{name}-{n}"} for n in range(8)],
    }
    spec = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
    }
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}},
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name},
            "data": {"name": name, "colour": "blue"},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {"selector": labels, "ports": [{"port": 80, "protocol": "TCP"}]},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name},
            "spec": {"replicas": 1, **spec},
        },
    ]


def documents(objects: list[dict[str, Any]]) -> str:
    """Return objects as one YAML text."""
    return yaml.safe_dump_all(objects, sort_keys=False)


@asynccontextmanager
async def hub_with(
    folder: Path, files: dict[str, str], *options: str
) -> AsyncIterator[tuple[OneNodeHub, Repository]]:
    """Start a hub beside a repository; `options` are those of `outrider up`."""
    repository = await asyncio.to_thread(Repository.create, folder / "repository", files)
    async with running_hub(folder / "hub", *options, log_folder=folder / "logs") as hub:
        yield hub, repository


@asynccontextmanager
async def edge_of(hub: Hub, folder: Path, name: str = "edge-1", **settings: str) -> AsyncIterator[Edge]:
    """Start one edge with an agent process behind a WAN link over TLS; `settings` are the agent's environment."""
    credentials = await add_cluster(hub, name, folder)
    async with running_edge(name, folder / name, hub.listeners, credentials, **settings) as edge:
        yield edge


async def until_healthy(hub: Hub, count: int, within_s: float = 120) -> None:
    """Wait until so many applications are all healthy, synced and fresh."""
    from outrider_playground.waiting import eventually

    async def healthy() -> bool:
        items = await hub.applications()
        good = [
            i for i in items if (i["health"], i["sync"], i["freshness"]) == ("Healthy", "Synced", "fresh")
        ]
        return len(good) == count == len(items) and all(item["delivered"] for item in items)

    await eventually(healthy, within_s)


async def until_counted(hub: Hub, count: int, within_s: float = 120) -> None:
    """Wait until so many applications are all healthy, synced and fresh, by the hub's own counts: what a large fleet can bear."""
    from outrider_playground.waiting import eventually

    async def healthy() -> bool:
        counts = await ask(hub.connection, subjects.status_query("summary"))
        good = (counts["health"]["Healthy"], counts["sync"]["Synced"], counts["freshness"]["fresh"])
        await asyncio.sleep(LOOKS_EVERY_S)
        return good == (count, count, count)

    await eventually(healthy, within_s)


def processes_of(hub: OneNodeHub) -> dict[str, int]:
    """Return the processes of a hub by their names."""
    found: dict[str, int] = {}
    for child in Path(f"/proc/{hub.child.pid}/task/{hub.child.pid}/children").read_text().split():
        command = Path(f"/proc/{child}/cmdline").read_text()
        found |= {short: int(child) for name, short in PROCESSES.items() if name in command}
    return found
