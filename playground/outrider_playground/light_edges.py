"""Many edges in one process: the agent's own link and replica, and workloads that are what is desired after a moment.

For fleets of thousands, where what is measured is the hub and the links. Agents with their engine, over simulated clusters,
are in `light_agents`.

python -m outrider_playground.light_edges --credentials FOLDER --state FOLDER --server URL [--start-over SECONDS] NAME...
"""

import argparse
import asyncio
import gc
import random
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from edge_agent.applications import ClusterSettings, Desired
from edge_agent.edge import Edge, Replica
from edge_agent.replica import opened
from edge_agent.settings import Settings
from outrider import process
from outrider.bus import connected
from outrider.identity import credentials

RUNS_AFTER_S = 0.05
# From a record until its objects run: a status without any operation in between.


class LightWorkloads:
    """Applications that become what is desired by themselves."""

    def __init__(
        self,
        on_status: Callable[[str, dict[str, Any]], None],
        on_removed: Callable[[str, tuple[int, int]], None],
    ) -> None:
        self._on_status, self._on_removed = on_status, on_removed

    def configure(self, settings: ClusterSettings) -> None:
        """Nothing here goes by settings."""

    def set_desired(self, desired: Desired) -> None:
        """Be that, after a moment. The bundle is read as an agent does, and its objects are reported."""
        asyncio.get_running_loop().call_later(RUNS_AFTER_S, self._runs, desired)

    def remove(
        self, app: str, uid: str, *, cascade: bool, generation: tuple[int, int], propagation: str
    ) -> None:
        """Be gone."""
        self._on_removed(app, generation)

    def note(self, app: str, condition: str, message: str) -> None:
        """Nothing here is told to a person."""

    def write_again(self, *, everything: bool) -> None:
        """Nothing here is written down."""

    def bundle_held(self, short_digest: str) -> None:
        """Nothing here waits for a bundle."""

    def bundles_in_use(self) -> tuple[str, ...]:
        """Nothing here takes long."""
        return ()

    def _runs(self, desired: Desired) -> None:
        resources = [_resource(manifest) for manifest in desired.manifests()]
        document = {
            "sync": {"status": "Synced", "revision": desired.revision},
            "health": {"status": "Healthy"},
            "conditions": [],
            "resources": resources,
            "summary": {"images": []},
        }
        self._on_status(desired.app, document)


def _resource(manifest: dict[str, Any]) -> dict[str, Any]:
    group, _, version = manifest["apiVersion"].rpartition("/")
    metadata = manifest["metadata"]
    return {
        "group": group,
        "version": version,
        "kind": manifest["kind"],
        "namespace": metadata.get("namespace", ""),
        "name": metadata["name"],
        "status": "Synced",
        "health": {"status": "Healthy"},
    }


async def light_edge(settings: Settings, rng: random.Random, knock_every_s: float | None = None) -> None:
    """Run one edge until cancelled; it looks for a hub that is away as often as an agent, unless told otherwise."""
    identity = credentials.load(settings.credentials)
    bus = credentials.bus_settings(settings.credentials, settings.servers)
    with opened(settings.replica) as database:
        replica = Replica.over(database, round(time.time() * 1000))
        async with connected(bus, rng=rng, wait=False) as connection:
            edge = Edge(settings, identity, replica, connection, time.time, rng)
            connection.knock_every_s = knock_every_s or connection.knock_every_s
            edge.start(LightWorkloads(edge.on_status, edge.on_removed))
            await edge.run()


def main() -> int:
    """Run the edges until asked to stop."""
    parser = argparse.ArgumentParser(prog="light_edges")
    parser.add_argument("--credentials", type=Path, required=True, help="folder with NAME.creds files")
    parser.add_argument("--state", type=Path, required=True, help="folder for the replicas")
    parser.add_argument("--server", required=True, help="URL of the hub's NATS server")
    parser.add_argument("--start-over", type=float, default=0.0, metavar="SECONDS", help="spread the starts")
    parser.add_argument("--knock-every", type=float, metavar="SECONDS", help="a thousand of them take a core")
    parser.add_argument("--log", default="warning", metavar="LEVEL", help="as OUTRIDER_LOG")
    parser.add_argument("names", nargs="+", metavar="NAME")
    arguments = parser.parse_args()
    process.configure_logging(arguments.log)
    # Each edge has its replica's files and its connection open.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # A fleet's objects are walked by each full collection; in an agent's own process there are few.
    gc.set_threshold(100_000, 20, 100)
    return process.run(_run(arguments))


class _InTurn(ThreadPoolExecutor):
    """Runs what an agent has a thread for at once: thousands of edges share one interpreter, which threads only fight for."""

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(work(*arguments, **named))
        except Exception as error:  # noqa: BLE001 - as an executor does
            done.set_exception(error)
        return done


async def _run(arguments: argparse.Namespace) -> None:
    asyncio.get_running_loop().set_default_executor(_InTurn())
    rng = random.SystemRandom()
    pause_s = arguments.start_over / len(arguments.names)
    async with asyncio.TaskGroup() as tasks:
        for name in arguments.names:
            settings = Settings(
                credentials=arguments.credentials / f"{name}.creds",
                state=arguments.state / name,
                servers=(arguments.server,),
            )
            tasks.create_task(light_edge(settings, rng, arguments.knock_every), name=name)
            await asyncio.sleep(pause_s)


if __name__ == "__main__":
    sys.exit(main())
