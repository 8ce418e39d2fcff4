"""Memory of a hub, all its processes together, for each idle cluster: the slope between a small fleet and a larger one."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from benchmarks.fleet import many_edges
from benchmarks.hub import (
    application,
    apply_all,
    documents,
    hub_with,
    processes_of,
    until_counted,
    workload,
)
from benchmarks.measure import Measurement, resident_mib
from outrider_playground.demo.hub import OneNodeHub

APPLICATIONS = 20
# Of each cluster.
FEW, MANY = 200, 1200
SETTLES_S = 90.0
# Go gives memory back to the system over a minute or so.
STARTS_A_SECOND = 100
WITHIN_S = 900.0


async def per_cluster(
    folder: Path, few: int = FEW, many: int = MANY, settles_s: float = SETTLES_S
) -> Measurement:
    """Measure with edges that are connected over TLS, in sync, healthy and silent."""
    files = {
        f"app-{n}/all.yaml": documents(workload(f"app-{n}", "registry.example.com/app:1.0"))
        for n in range(APPLICATIONS)
    }
    names = [f"edge-{n:04}" for n in range(many)]
    async with hub_with(folder, files) as (hub, repository), AsyncExitStack() as stack:
        resident: list[dict[str, float]] = []
        for some in (names[:few], names[few:]):
            options = ("--start-over", str(len(some) / STARTS_A_SECOND))
            await stack.enter_async_context(many_edges(hub, folder, some, "light_edges", *options))
            manifests = [
                application(f"{name}-app-{n}", name, repository.url, f"app-{n}")
                for name in some
                for n in range(APPLICATIONS)
            ]
            await apply_all(hub, manifests)
            await until_counted(hub, APPLICATIONS * (few if not resident else many), WITHIN_S)
            await asyncio.sleep(settles_s)
            resident.append(_resident(hub))
        slope = {
            name: round((resident[1][name] - mib) * 1024 / (many - few), 1)
            for name, mib in resident[0].items()
        }
        return Measurement(
            "hub-memory-per-cluster",
            {"all": round(sum(slope.values()), 1), **slope},
            "KiB",
            {
                "applications": APPLICATIONS, "clusters": f"{few} and {many}", "tls": "1.3", "edges": "light_edges",
                "mib_at_first": round(sum(resident[0].values()), 1),
                "mib_at_last": round(sum(resident[1].values()), 1), "after_s": settles_s,
            },
        )  # fmt: skip


def _resident(hub: OneNodeHub) -> dict[str, float]:
    return {name: resident_mib(pid) for name, pid in {**processes_of(hub), "up": hub.child.pid}.items()}
