"""Many clusters in one process."""

from __future__ import annotations

import asyncio
import contextlib

from outrider_playground.kubernetes import Settings, SimulatedCluster

from .hands import config_map, status, until, workload

CLUSTERS = 40


async def test_clusters_in_one_process_run_apart_from_one_another_and_cost_no_task_each() -> None:
    tasks = len(asyncio.all_tasks())
    async with contextlib.AsyncExitStack() as stack:
        made = [
            SimulatedCluster(Settings(start_delay_s=0.02), name=f"shop-{number}")
            for number in range(CLUSTERS)
        ]
        clusters = [await stack.enter_async_context(each) for each in made]
        assert len({each.port for each in clusters}) == CLUSTERS
        manifest = workload("Deployment", "web")
        for number, each in enumerate(clusters):
            each.apply(config_map("settings", {"number": str(number)}))
            each.apply(manifest)
        await until(lambda: all(status(each, manifest).get("availableReplicas") == 1 for each in clusters))
        assert [each.read(config_map("settings"))["data"]["number"] for each in clusters] == [
            str(number) for number in range(CLUSTERS)
        ]
        assert len(asyncio.all_tasks()) == tasks
