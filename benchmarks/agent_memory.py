"""Resident memory of the agent's process, connected over TLS to a hub and to a simulated cluster."""

import asyncio
from pathlib import Path

from benchmarks.hub import application, apply_all, documents, edge_of, hub_with, until_healthy, workload
from benchmarks.measure import Measurement, resident_mib

APPLICATIONS = 100
SETTLES_S = 20.0


async def idle(folder: Path) -> Measurement:
    """Measure an agent that has nothing to run."""
    async with hub_with(folder, {"README.md": "empty"}) as (_, _repository), edge_of(_, folder) as edge:
        await asyncio.sleep(SETTLES_S)
        return Measurement("agent-memory-idle", resident_mib(edge.agent.pid), "MiB", {"after_s": SETTLES_S})


async def hundred(folder: Path) -> Measurement:
    """Measure an agent with 100 applications of 4 objects each, all healthy."""
    files = {
        f"app-{n}/all.yaml": documents(workload(f"app-{n}", "registry.example.com/app:1.0"))
        for n in range(APPLICATIONS)
    }
    async with hub_with(folder, files) as (hub, repository), edge_of(hub, folder) as edge:
        apps = [application(f"app-{n}", edge.name, repository.url, f"app-{n}") for n in range(APPLICATIONS)]
        await apply_all(hub, apps)
        await until_healthy(hub, APPLICATIONS)
        await asyncio.sleep(SETTLES_S)
        return Measurement(
            "agent-memory-100-apps",
            resident_mib(edge.agent.pid),
            "MiB",
            {"applications": APPLICATIONS, "objects": 4 * APPLICATIONS, "after_s": SETTLES_S},
        )
