"""The whole hub gone and back: until every edge is connected, in step with the hub, and heard of, over TLS."""

import asyncio
import json
import time
from datetime import datetime
from pathlib import Path

from benchmarks.fleet import Heard, many_edges, watching
from benchmarks.hub import application, apply_all, documents, hub_with, until_healthy, workload
from benchmarks.measure import Measurement, percentile
from outrider_playground.demo.hub import OneNodeHub
from outrider_playground.waiting import eventually

PROCESSES = 4
AWAY_S = 45.0
# Longer would change nothing: an edge knocks at the same pace for as long as it takes.
STARTS_A_SECOND = 150
KNOCKS_EVERY_S = 5.0
# An agent knocks each second, which all together would take more than this machine has.
WITHIN_S = 300.0
FILES = {"app/all.yaml": documents(workload("app", "registry.example.com/app:1.0"))}


async def storm(folder: Path, clusters: int, *, away_s: float = AWAY_S) -> Measurement:
    """Measure from the moment at which the hub's server listens again."""
    names = [f"edge-{n:04}" for n in range(clusters)]
    options = (
        "--log",
        "info",
        "--knock-every",
        str(KNOCKS_EVERY_S),
        "--start-over",
        str(clusters / STARTS_A_SECOND),
    )
    heard = Heard()
    async with (
        hub_with(folder, FILES) as (hub, repository),
        many_edges(hub, folder, names, "light_edges", *options, processes=PROCESSES),
        watching(hub, heard.take),
    ):
        await apply_all(hub, [application(f"app-{name}", name, repository.url, "app") for name in names])
        await until_healthy(hub, clusters, within_s=WITHIN_S)
        await hub.child.stop()
        await asyncio.sleep(away_s)
        heard.begin()
        started_s = time.monotonic()
        await hub.child.start()
        listening_s = await _listens(hub)
        await eventually(lambda: len(heard.at_s) == clusters, WITHIN_S)
        back = sorted(at_s - listening_s for at_s in heard.at_s.values())
        in_step = sorted(at_s - listening_s for at_s in await _in_step(folder, started_s, clusters))
        return Measurement(
            f"reconnect-storm-{clusters}",
            {
                **{f"heard_{name}": round(percentile(back, share), 1) for name, share in SHARES.items()},
                **{f"in_step_{name}": round(percentile(in_step, share), 1) for name, share in SHARES.items()},
            },
            "seconds",
            {
                "clusters": clusters, "edges": "light_edges", "agent_processes": PROCESSES, "tls": "1.3",
                "away_s": away_s, "listens_after_s": round(listening_s - started_s, 1),
                "knocks_every_s": KNOCKS_EVERY_S,
            },
        )  # fmt: skip


SHARES = {"p50": 0.5, "p99": 0.99, "last": 1.0}


async def _listens(hub: OneNodeHub) -> float:
    async def open_and_close() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", hub.port)
        except OSError:
            return False
        writer.close()
        return True

    await eventually(open_and_close, WITHIN_S)
    return time.monotonic()


async def _in_step(folder: Path, since_s: float, clusters: int) -> list[float]:
    """Return when edges said in their logs that they are in step with the hub."""
    found: list[float] = []
    to_monotonic_s = time.monotonic() - time.time()

    def read() -> bool:
        found.clear()
        for log in (folder / "logs").glob("agents-*.log"):
            for line in log.read_text().splitlines():
                if '"in step with the hub"' in line:
                    at_s = datetime.fromisoformat(json.loads(line)["timestamp"]).timestamp() + to_monotonic_s
                    found.extend([at_s] if at_s > since_s else [])
        return len(found) >= clusters

    await eventually(read, WITHIN_S)
    return found
