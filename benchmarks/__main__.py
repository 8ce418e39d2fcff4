"""Run benchmarks: `python -m benchmarks NAME... [--json]`, `--all` for every one and benchmarks/RESULTS.md."""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks import (
    agent_memory,
    engine,
    hub_memory,
    monorepo,
    outage_replay,
    render_rate,
    status_ingest,
    wan_bytes,
)
from benchmarks.converge import converge
from benchmarks.measure import Measurement
from benchmarks.reconnect_storm import storm
from benchmarks.results import write
from outrider import process

Benchmark = Callable[[Path], Awaitable[Measurement]]
BENCHMARKS: dict[str, Benchmark] = {
    "wan-bytes-image-bump": wan_bytes.image_bump,
    "wan-bytes-status-change": wan_bytes.status_change,
    "wan-bytes-status-batch-50": wan_bytes.status_batch,
    "wan-bytes-idle-day": wan_bytes.idle_day,
    "agent-memory-idle": agent_memory.idle,
    "agent-memory-100-apps": agent_memory.hundred,
    "apply-rate": engine.apply_rate,
    "drift-heal": engine.drift_heal,
    "reconcile-idle-cpu": engine.idle_cpu,
    "render-rate": render_rate.rate,
    "monorepo-1-of-1000": monorepo.one_of_a_thousand,
    "status-ingest": status_ingest.ingest,
    "outage-replay": outage_replay.replay,
    "converge-100": lambda folder: converge(folder, 100),
    "converge-1000": lambda folder: converge(folder, 1000, "light_edges"),
    "converge-5000": lambda folder: converge(folder, 5000, "light_edges"),
    "reconnect-storm-1000": lambda folder: storm(folder, 1000),
    "reconnect-storm-5000": lambda folder: storm(folder, 5000),
    "hub-memory-per-cluster": hub_memory.per_cluster,
}
RESULTS = Path(__file__).parent / "RESULTS.md"


def main() -> int:
    """Run what was asked for; return the exit status."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measurements, one line of JSON each.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--all", action="store_true", help="run every benchmark and write RESULTS.md")
    parser.add_argument("--json", action="store_true", help="print JSON (the default: one line a benchmark)")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in BENCHMARKS]
    if unknown or not (arguments.names or arguments.all):
        parser.error(f"unknown benchmark {unknown[0]!r}" if unknown else "name a benchmark, or give --all")
    process.configure_logging("error")
    measured = [
        asyncio.run(_measure(name)) for name in (list(BENCHMARKS) if arguments.all else arguments.names)
    ]
    if arguments.all:
        write(RESULTS, [json.loads(one.as_json()) for one in measured])
    return 0


async def _measure(name: str) -> Measurement:
    sys.stderr.write(f"{name} …\n")
    with tempfile.TemporaryDirectory(prefix="outrider-bench-", ignore_cleanup_errors=True) as folder:
        measurement = await BENCHMARKS[name](Path(folder))
    print(measurement.as_json(), flush=True)
    return measurement


if __name__ == "__main__":
    sys.exit(main())
