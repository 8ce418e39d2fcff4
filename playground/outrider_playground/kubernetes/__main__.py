"""One simulated cluster as a process: `python -m outrider_playground.kubernetes --port 6443 --kubeconfig FILE`."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

import structlog

from .cluster import SimulatedCluster
from .persistence import StateFileError
from .settings import Settings

log = structlog.get_logger()


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m outrider_playground.kubernetes", description=__doc__)
    defaults = Settings()
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one (default)")
    parser.add_argument("--name", default="simulated", help="name of the cluster in the kubeconfig")
    parser.add_argument("--kubeconfig", type=Path, help="where to write a kubeconfig once the API is served")
    parser.add_argument("--state", type=Path, help="file that keeps the objects from one run to the next")
    parser.add_argument(
        "--start-delay",
        type=float,
        default=defaults.start_delay_s,
        metavar="S",
        help="seconds from a pod's creation until it is ready",
    )
    parser.add_argument(
        "--stop-delay",
        type=float,
        default=defaults.stop_delay_s,
        metavar="S",
        help="seconds from a pod's deletion until it is gone",
    )
    parser.add_argument(
        "--run-time", type=float, default=defaults.run_s, metavar="S", help="seconds that a Job's pod runs"
    )
    parser.add_argument("--nodes", type=int, default=defaults.nodes, help="number of nodes")
    return parser.parse_args(words)


async def run(arguments: argparse.Namespace) -> None:
    """Serve a cluster until SIGTERM or SIGINT."""
    settings = Settings(
        start_delay_s=arguments.start_delay,
        stop_delay_s=arguments.stop_delay,
        run_s=arguments.run_time,
        nodes=arguments.nodes,
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    cluster = SimulatedCluster(
        settings, host=arguments.host, port=arguments.port, name=arguments.name, state_file=arguments.state
    )
    async with cluster:
        if arguments.kubeconfig is not None:
            await asyncio.to_thread(cluster.write_kubeconfig, arguments.kubeconfig)
        log.info("simulated cluster serves", cluster=arguments.name, url=cluster.url)
        await stop.wait()


def main(words: list[str] | None = None) -> int:
    """Run the process; return its exit status."""
    arguments = _arguments(words)
    try:
        asyncio.run(run(arguments))
    except (StateFileError, OSError) as error:
        log.error("simulated cluster can't start", problem=str(error))  # noqa: TRY400  # the message says it all
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
