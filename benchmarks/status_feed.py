"""Edges that only speak of status, several in one process, each on a connection of its own: the feed of `status-ingest`.

Each sends its next batch once the hub's stream has acknowledged the one before, as an agent does; what is sent was made before.
Says `{"ready": …}` once the hub has every document, begins when a line comes, and tells when it began and ended.

python -m benchmarks.status_feed --credentials FOLDER --server URL --applications N --batch N --batches N NAME...
"""

import argparse
import asyncio
import json
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from benchmarks.edge_documents import RESOURCES, Edge, told
from outrider import process, subjects
from outrider.bus import Connection, connected
from outrider.identity import credentials
from outrider.names import cluster_name

VARIANTS = 8
# Clusters whose documents differ; further ones have the same as one of these. Making patches takes a while.
ACK_TIMEOUT_S = 60.0


async def run(arguments: argparse.Namespace) -> None:
    """Connect all, tell all, wait, send all."""
    applications = [
        {
            f"app-{n:03}": told(f"app-{n:03}", RESOURCES[n % len(RESOURCES)], variant)
            for n in range(arguments.applications)
        }
        for variant in range(min(VARIANTS, len(arguments.names)))
    ]
    edges = [
        Edge(_now_ms(), applications[n % len(applications)], arguments.batch)
        for n in range(len(arguments.names))
    ]
    async with AsyncExitStack() as stack:
        connections = []
        for name in arguments.names:
            settings = credentials.bus_settings(arguments.credentials / f"{name}.creds", (arguments.server,))
            connections.append(await stack.enter_async_context(connected(settings)))
        await _each(connections, edges, _first)
        _say({"ready": len(edges)})
        await asyncio.to_thread(sys.stdin.readline)
        began_s, size_bytes = time.monotonic(), 0

        async def changes(connection: Connection, edge: Edge) -> None:
            nonlocal size_bytes
            for _ in range(arguments.batches):
                packed = edge.change(_now_ms())
                await _send(connection, packed)
                size_bytes += len(packed)

        await _each(connections, edges, changes)
        _say({"began_s": began_s, "ended_s": time.monotonic(), "bytes": size_bytes})
        await asyncio.to_thread(sys.stdin.readline)


async def _each(connections: list[Connection], edges: list[Edge], work: Any) -> None:
    async with asyncio.TaskGroup() as tasks:
        for connection, edge in zip(connections, edges, strict=True):
            tasks.create_task(work(connection, edge), name=f"feed {connection.name}")


async def _first(connection: Connection, edge: Edge) -> None:
    for packed in edge.first(_now_ms()):
        await _send(connection, packed)


async def _send(connection: Connection, packed: bytes) -> None:
    answer = await connection.request(
        subjects.status(cluster_name(connection.name)), packed, timeout_s=ACK_TIMEOUT_S
    )
    if "error" in json.loads(answer.data):
        raise RuntimeError(answer.data.decode())


def _say(value: dict[str, Any]) -> None:
    print(json.dumps(value), flush=True)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def main() -> int:
    """Feed."""
    parser = argparse.ArgumentParser(prog="status_feed")
    parser.add_argument("--credentials", type=Path, required=True, help="folder with NAME.creds files")
    parser.add_argument("--server", required=True, help="URL of the hub's NATS server")
    parser.add_argument("--applications", type=int, required=True, help="of each cluster")
    parser.add_argument("--batch", type=int, required=True, help="changes in a batch")
    parser.add_argument("--batches", type=int, required=True, help="of each cluster")
    parser.add_argument("names", nargs="+", metavar="NAME")
    process.configure_logging("warning")
    return process.run(run(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
