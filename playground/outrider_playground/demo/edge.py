"""One edge of a playground: a simulated cluster, the agent as a process of its own, and the WAN links between it and the hub."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from outrider_playground.children import Child, python
from outrider_playground.demo.hub import Listener
from outrider_playground.demo.uplink import Uplink
from outrider_playground.kubernetes import SimulatedCluster


@dataclass
class Edge:
    """An edge that runs."""

    name: str
    folder: Path
    cluster: SimulatedCluster
    link: Uplink
    agent: Child

    @property
    def replica(self) -> Path:
        """The file of the agent's replica."""
        return self.folder / "agent" / "replica.sqlite"

    def image(self, app: str, deployment: str) -> str:
        """Return the image that a Deployment runs on the cluster, or nothing."""
        found = self.cluster.get("Deployment", deployment, app, "apps/v1")
        return str(found["spec"]["template"]["spec"]["containers"][0]["image"]) if found else ""

    def wan_bytes(self) -> dict[str, int]:
        """Return the bytes on the wire so far, TCP/IP and TLS included."""
        counters = self.link.counters()
        return {"down": counters.down.wire_bytes, "up": counters.up.wire_bytes}


@asynccontextmanager
async def running_edge(
    name: str, folder: Path, hub: Sequence[Listener], credentials: Path, **settings: str
) -> AsyncIterator[Edge]:
    """Start an edge; its agent connects to the hub's listeners through a link each. `settings`: of the agent, by environment variable."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(SimulatedCluster(name=name))
        link = await stack.enter_async_context(Uplink.to(hub))
        environment = {
            "OUTRIDER_CREDENTIALS": str(credentials),
            "OUTRIDER_SERVERS": ",".join(link.urls),
            "OUTRIDER_STATE": str(folder / "agent"),
            "KUBECONFIG": str(cluster.write_kubeconfig(folder / "kubeconfig")),
            **settings,
        }
        agent = python(name, "edge_agent", environment=environment, log_folder=folder)
        await agent.start()
        stack.push_async_callback(agent.stop)
        yield Edge(name, folder, cluster, link, agent)
