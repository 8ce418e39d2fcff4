"""One edge of a playground: a simulated cluster, the agent as a process of its own, and the WAN link between it and the hub."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from outrider_playground.children import Child, python
from outrider_playground.kubernetes import SimulatedCluster
from outrider_playground.wan import WanLink


@dataclass
class Edge:
    """An edge that runs."""

    name: str
    cluster: SimulatedCluster
    link: WanLink
    agent: Child

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
    name: str, folder: Path, hub_port: int, credentials: Path, **settings: str
) -> AsyncIterator[Edge]:
    """Start an edge; its agent connects to the hub through the link. `settings`: of the agent, by environment variable."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    async with SimulatedCluster(name=name) as cluster, WanLink("127.0.0.1", hub_port) as link:
        environment = {
            "OUTRIDER_CREDENTIALS": str(credentials),
            "OUTRIDER_SERVERS": f"tls://localhost:{link.port}",
            "OUTRIDER_STATE": str(folder / "agent"),
            "KUBECONFIG": str(cluster.write_kubeconfig(folder / "kubeconfig")),
            **settings,
        }
        agent = python(name, "edge_agent", environment=environment, log_folder=folder)
        await agent.start()
        try:
            yield Edge(name, cluster, link, agent)
        finally:
            await agent.stop()
