"""Many agents in one process: the agent's own link, replica and applications, over simulated clusters.

python -m outrider_playground.light_agents --credentials FOLDER --state FOLDER --server URL NAME...
"""

import argparse
import asyncio
import gc
import sys
from pathlib import Path

from edge_agent.agent import run
from edge_agent.settings import Settings
from outrider import process
from outrider_playground.kubernetes import SimulatedCluster


def main() -> int:
    """Run the agents until asked to stop."""
    parser = argparse.ArgumentParser(prog="light_agents")
    parser.add_argument("--credentials", type=Path, required=True, help="folder with NAME.creds files")
    parser.add_argument("--state", type=Path, required=True, help="folder for the replicas")
    parser.add_argument("--server", required=True, help="URL of the hub's NATS server")
    parser.add_argument("names", nargs="+", metavar="NAME")
    arguments = parser.parse_args()
    process.configure_logging("warning")
    # Fifty clusters' objects are walked by each full collection; in an agent's own process there are few.
    gc.set_threshold(100_000, 20, 100)
    return process.run(_run(arguments.names, arguments.credentials, arguments.state, arguments.server))


async def _run(names: list[str], credentials: Path, state: Path, server: str) -> None:
    async with asyncio.TaskGroup() as tasks:
        for name in names:
            settings = Settings(
                credentials=credentials / f"{name}.creds", state=state / name, servers=(server,)
            )
            tasks.create_task(_agent(name, settings), name=name)


async def _agent(name: str, settings: Settings) -> None:
    async with SimulatedCluster(name=name) as cluster:
        await asyncio.to_thread(settings.state.mkdir, parents=True, exist_ok=True)
        kubeconfig = await asyncio.to_thread(cluster.write_kubeconfig, settings.state / "kubeconfig")
        await run(
            Settings(settings.credentials, settings.state, settings.servers, kubeconfig=str(kubeconfig))
        )


if __name__ == "__main__":
    sys.exit(main())
