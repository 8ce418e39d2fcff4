"""From a commit that is announced to a hub that knows every cluster to run it."""

import asyncio
import time
from pathlib import Path

from benchmarks.fleet import PROCESSES, many_edges
from benchmarks.hub import application, apply_all, documents, hub_with, until_healthy, workload
from benchmarks.measure import Measurement, spread
from outrider import subjects
from outrider.bus.services import ask
from outrider_playground.demo.hub import Hub

COMMITS = 5
LOOKS_EVERY_S = 0.1
# Each look costs the hub as much as some applications do; every figure may be too high by this.


def _files(tag: str) -> dict[str, str]:
    return {"app/all.yaml": documents(workload("app", f"registry.example.com/app:{tag}"))}


async def converge(folder: Path, clusters: int, module: str = "light_agents") -> Measurement:
    """Measure, cluster by cluster, when the hub says Synced at the commit; Healthy, after simulated start-up, apart."""
    names = [f"edge-{n:04d}" for n in range(clusters)]
    async with hub_with(folder, _files("1.0")) as (hub, repository), many_edges(hub, folder, names, module):
        await apply_all(hub, [application(f"app-{name}", name, repository.url, "app") for name in names])
        await until_healthy(hub, clusters, within_s=300)
        synced: list[float] = []
        healthy: list[float] = []
        for n in range(COMMITS):
            revision = await asyncio.to_thread(repository.commit, _files(f"1.{n + 1}"), "bump")
            announced = time.monotonic()
            async with asyncio.TaskGroup() as tasks:
                refresh = {"url": repository.url}
                tasks.create_task(
                    ask(hub.connection, subjects.render("default", "refresh"), refresh), name="announce"
                )
                tasks.create_task(_watch(hub, revision, announced, clusters, synced, healthy), name="watch")
        return Measurement(
            f"converge-{clusters}",
            {
                **{f"synced_{k}": v for k, v in spread(synced).items()},
                **{f"healthy_{k}": v for k, v in spread(healthy).items()},
            },
            "seconds",
            {
                "clusters": clusters,
                "edges": module,
                "commits": COMMITS,
                "agent_processes": PROCESSES,
                "gc_threshold": 100_000,
                "tls": "1.3",
                "pods_start_after_s": 0.2,
                "looks_every_s": LOOKS_EVERY_S,
            },
        )


async def _watch(
    hub: Hub, revision: str, announced: float, clusters: int, synced: list[float], healthy: list[float]
) -> None:
    seen: dict[str, set[str]] = {"synced": set(), "healthy": set()}
    while len(seen["healthy"]) < clusters:
        for item in await hub.applications():
            if item["revision"] != revision or item["sync"] != "Synced":
                continue
            now = time.monotonic() - announced
            if item["name"] not in seen["synced"]:
                seen["synced"].add(item["name"])
                synced.append(now)
            if item["health"] == "Healthy" and item["name"] not in seen["healthy"]:
                seen["healthy"].add(item["name"])
                healthy.append(now)
        await asyncio.sleep(LOOKS_EVERY_S)
