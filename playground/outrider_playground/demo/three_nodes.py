"""A hub that survives the loss of a machine: three NATS nodes, and two of each service as processes against all of them.

Nothing starts a process again here that was killed: whoever kills one decides that too.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outrider.bus import Connection, connected
from outrider.identity import credentials, hub_state
from outrider_playground.children import Child, python
from outrider_playground.demo.hub import STARTS_WITHIN_S, Hub, Listener, answers
from outrider_playground.demo.nodes import PORT, Node, free_network, running_nodes
from outrider_playground.waiting import eventually

MODULES = {"registry": "app_registry", "renderer": "repo_renderer", "aggregator": "status_aggregator"}


@dataclass(frozen=True)
class Options:
    """How the hub is run."""

    of_each: int = 2
    # services of a kind
    poll_interval_s: float = 2
    ping_interval: str = "2m"
    # of the NATS servers


class ThreeNodeHub(Hub):
    """Its nodes and its services, by name (`registry-1`)."""

    def __init__(
        self, state: Path, connection: Connection, nodes: list[Node], services: dict[str, Child]
    ) -> None:
        super().__init__(state, connection, _listeners(tuple(node.address for node in nodes)))
        self.nodes, self.services = nodes, services

    async def led(self) -> dict[str, dict[str, Any]]:
        """Return what the leader of each stream says of it. OSError while a node does not answer."""
        found: dict[str, dict[str, Any]] = {}
        for node in self.nodes:
            if node.child.pid:
                answer = await node.monitor("jsz?streams=true&accounts=true&config=true")
                # A node that has just started knows of neither.
                for account in answer.get("account_details") or ():
                    streams = account.get("stream_detail") or ()
                    found |= {one["name"]: one for one in streams if _leads(node, one)}
        return found

    async def leader(self, stream: str) -> Node:
        """Return the node that leads a stream. KeyError while there is none, OSError while a node does not answer."""
        name = (await self.led())[stream]["cluster"]["leader"]
        return next(node for node in self.nodes if node.name == name)


def _leads(node: Node, stream: dict[str, Any]) -> bool:
    return bool((stream.get("cluster") or {}).get("leader") == node.name)


def _listeners(addresses: tuple[str, ...]) -> tuple[Listener, ...]:
    return tuple(Listener(address, PORT) for address in addresses)


@asynccontextmanager
async def running_three_nodes(
    state: Path, *, log_folder: Path, dice: random.Random | None = None, options: Options | None = None
) -> AsyncIterator[ThreeNodeHub]:
    """Start it; enter once its services answer. `state` is the hub's folder, as `outrider init` makes it."""
    options = options or Options()
    addresses = free_network(dice or random.SystemRandom())
    urls = tuple(f"tls://{address}:{PORT}" for address in addresses)
    hub_state.initialise(state, servers=urls, hosts=["localhost", *addresses])
    await asyncio.to_thread(log_folder.mkdir, parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        running = running_nodes(log_folder / "nodes", state, addresses, ping_interval=options.ping_interval)
        nodes = await stack.enter_async_context(running)
        services = _services(state, urls, log_folder, options)
        for child in services.values():
            await child.start()
            stack.push_async_callback(child.stop)
        person = credentials.bus_settings(state / "credentials" / "person.creds", urls)
        connection = await stack.enter_async_context(connected(person))
        hub = ThreeNodeHub(state, connection, nodes, services)
        await eventually(lambda: answers(hub), STARTS_WITHIN_S)
        yield hub


def _services(state: Path, urls: tuple[str, ...], log_folder: Path, options: Options) -> dict[str, Child]:
    services = {}
    for role, module in MODULES.items():
        for number in range(1, options.of_each + 1):
            name = f"{role}-{number}"
            environment = {
                "OUTRIDER_CREDENTIALS": str(state / "credentials" / f"{role}.creds"),
                "OUTRIDER_KEYS": str(state / f"{role}.json"),
                "OUTRIDER_SERVERS": ",".join(urls),
                "OUTRIDER_STATE": str(state / "work" / name),
                # What tells two of a kind apart, the same after a restart.
                "OUTRIDER_REPLICA": name,
                "OUTRIDER_INSTANCE": name,
                "OUTRIDER_METRICS": "off",
                "OUTRIDER_POLL_INTERVAL": f"{options.poll_interval_s:g}",
                "OUTRIDER_LOCAL_REPOSITORIES": "1",
            }
            services[name] = python(name, module, environment=environment, log_folder=log_folder)
    return services
