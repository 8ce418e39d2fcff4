"""From a commit that is announced to a hub that has written down that every cluster runs it."""

import asyncio
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.fleet import PROCESSES, many_edges, watching
from benchmarks.hub import application, apply_all, documents, hub_with, processes_of, until_counted, workload
from benchmarks.measure import Measurement, cpu_seconds, spread
from outrider.bus.buckets import Change
from outrider.records import StatusRecord
from outrider_playground.waiting import eventually
from status_aggregator.records import Key
from status_aggregator.rows import Seen

COMMITS = 5
WITHIN_S = 300.0
STARTS_A_SECOND = 150


def _files(tag: str) -> dict[str, str]:
    return {"app/all.yaml": documents(workload("app", f"registry.example.com/app:{tag}"))}


@dataclass
class Arrived:
    """When the hub wrote down, cluster by cluster, that it is at a revision."""

    revision: str = ""
    synced_at_s: dict[Key, float] = field(default_factory=dict)
    healthy_at_s: dict[Key, float] = field(default_factory=dict)
    _written: list[tuple[Key, float, bytes]] = field(default_factory=list)
    _keys: set[Key] = field(default_factory=set)
    # for which something was written

    def begin(self, revision: str) -> None:
        """Wait for another revision."""
        self.revision = revision
        self.synced_at_s.clear()
        self.healthy_at_s.clear()
        self._written.clear()
        self._keys.clear()

    def take(self, key: Key, change: Change) -> None:
        """Take in what was written."""
        if not key.app or key.app.startswith("$") or change.value is None:
            return
        self._written.append((key, time.monotonic(), change.value))
        self._keys.add(key)

    def is_healthy(self, clusters: int) -> bool:
        """Whether so many are; what was written is read once there is something of each, to leave the cores to what is measured."""
        if len(self._keys) < clusters:
            return False
        for key, at_s, value in self._written:
            reported = Seen.of(StatusRecord.unpack(value)).reported
            if (reported.revision, reported.sync) == (self.revision, "Synced"):
                self.synced_at_s.setdefault(key, at_s)
                if reported.health == "Healthy":
                    self.healthy_at_s.setdefault(key, at_s)
        self._written.clear()
        return len(self.healthy_at_s) == clusters


async def converge(folder: Path, clusters: int, module: str = "light_agents") -> Measurement:
    """Measure, cluster by cluster, when the hub knows Synced at the commit; Healthy, after simulated start-up, apart."""
    names = [f"edge-{n:04d}" for n in range(clusters)]
    options = ("--start-over", str(clusters / STARTS_A_SECOND)) if module == "light_edges" else ()
    arrived = Arrived()
    synced: list[float] = []
    healthy: list[float] = []
    async with (
        hub_with(folder, _files("1.0")) as (hub, repository),
        many_edges(hub, folder, names, module, *options) as children,
        watching(hub, arrived.take),
    ):
        await apply_all(hub, [application(f"app-{name}", name, repository.url, "app") for name in names])
        await until_counted(hub, clusters, WITHIN_S)
        pids = {
            "measuring": os.getpid(),
            **processes_of(hub),
            **{child.name: child.pid for child in children},
        }
        used = {name: cpu_seconds(pid) for name, pid in pids.items()}
        for n in range(COMMITS):
            arrived.begin(await asyncio.to_thread(repository.commit, _files(f"1.{n + 1}"), "bump"))
            announced_s = time.monotonic()
            await hub.refresh(repository.url)
            await eventually(lambda: arrived.is_healthy(clusters), WITHIN_S)
            await until_counted(hub, clusters, WITHIN_S)
            synced += [at_s - announced_s for at_s in arrived.synced_at_s.values()]
            healthy += [at_s - announced_s for at_s in arrived.healthy_at_s.values()]
        used = {f"cpu_s_{name}": round(cpu_seconds(pid) - used[name], 1) for name, pid in pids.items()}
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
                **used,
            },
        )
