"""The agent's engine: how fast it applies, how soon it heals, what it costs when nothing happens."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.hub import application, apply_all, documents, edge_of, hub_with, until_healthy, workload
from benchmarks.measure import Measurement, cpu_seconds, spread
from outrider_playground.demo.edge import Edge

API_LATENCY_S = 0.005
APPLY_OBJECTS = 1000
APPLICATIONS = 100
IDLE_S = 600.0
EDITS = 300
EDIT_PAUSE_S = 0.05
LOOKS_EVERY_S = 0.001


async def apply_rate(folder: Path) -> Measurement:
    """Measure one sync of many objects: from its first apply until the last object is there, dry runs included."""
    objects = [_config_map(n) for n in range(APPLY_OBJECTS)]
    files = {"app/all.yaml": documents(objects)}
    async with hub_with(folder, files) as (hub, repository), edge_of(hub, folder) as edge:
        edge.cluster.faults.latency_s = API_LATENCY_S
        await apply_all(hub, [application("bulk", edge.name, repository.url, "app")])
        started = await _until(lambda: edge.cluster.requests["patch", "configmaps"] > 0)
        ended = await _until(lambda: _applied(edge) >= APPLY_OBJECTS)
        seconds = ended - started
        return Measurement(
            "apply-rate",
            round(APPLY_OBJECTS / seconds, 1),
            "objects/s",
            {
                "objects": APPLY_OBJECTS,
                "api_latency_ms": API_LATENCY_S * 1000,
                "requests": sum(edge.cluster.requests.values()),
                "seconds": round(seconds, 2),
            },
        )


async def drift_heal(folder: Path) -> Measurement:
    """Measure from a hand's edit until the object is as desired again, one edit after another."""
    async with _hundred(folder) as edge:
        healed: list[float] = []
        for n in range(EDITS):
            name = f"app-{n % APPLICATIONS}"
            target = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": name, "namespace": name},
            }
            edge.cluster.edit(target, {"data": {"colour": f"red-{n}"}}, manager="kubectl-edit")
            edited = time.monotonic()
            ended = await _until(lambda target=target: edge.cluster.read(target)["data"]["colour"] == "blue")
            healed.append(ended - edited)
            await asyncio.sleep(EDIT_PAUSE_S)
        conditions = {
            "applications": APPLICATIONS,
            "objects": 4 * APPLICATIONS,
            "api_latency_ms": API_LATENCY_S * 1000,
        }
        return Measurement("drift-heal", {**spread(healed)}, "seconds", conditions)


async def idle_cpu(folder: Path) -> Measurement:
    """Measure CPU time and API requests of an agent whose applications are all in sync and left alone."""
    async with _hundred(folder) as edge:
        await asyncio.sleep(5)
        cpu, requests = cpu_seconds(edge.agent.pid), sum(edge.cluster.requests.values())
        await asyncio.sleep(IDLE_S)
        used = round(cpu_seconds(edge.agent.pid) - cpu, 2)
        asked = sum(edge.cluster.requests.values()) - requests
        return Measurement(
            "reconcile-idle-cpu",
            {"cpu_seconds": used, "api_requests": asked, "requests_per_s": round(asked / IDLE_S, 4)},
            "",
            {"applications": APPLICATIONS, "objects": 4 * APPLICATIONS, "seconds": IDLE_S},
        )


@asynccontextmanager
async def _hundred(folder: Path) -> AsyncIterator[Edge]:
    """Run an edge with 100 applications of 4 objects each, all healthy, its API at 5 ms."""
    files = {
        f"app-{n}/all.yaml": documents(workload(f"app-{n}", "registry.example.com/app:1.0"))
        for n in range(APPLICATIONS)
    }
    async with hub_with(folder, files) as (hub, repository), edge_of(hub, folder) as edge:
        names = [f"app-{n}" for n in range(APPLICATIONS)]
        await apply_all(hub, [application(name, edge.name, repository.url, name) for name in names])
        await until_healthy(hub, APPLICATIONS)
        edge.cluster.faults.latency_s = API_LATENCY_S
        yield edge


def _config_map(n: int) -> dict[str, Any]:
    data = {f"key-{k}": f"value {n} of {k}" for k in range(10)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"settings-{n}"}, "data": data}


def _applied(edge: Edge) -> int:
    """Return how many of the objects are there; the namespace has one of its own."""
    found = edge.cluster.objects("ConfigMap", namespace="app")
    return sum(1 for one in found if one["metadata"]["name"].startswith("settings-"))


async def _until(true: Any) -> float:
    """Look every millisecond; return when it was true."""
    async with asyncio.timeout(120):
        while not true():  # noqa: ASYNC110 nothing tells it
            await asyncio.sleep(LOOKS_EVERY_S)
    return time.monotonic()
