"""Three NATS servers on this machine, with the files of bus-config/ as they are but for the addresses.

Each has a loopback address of its own (127.x.y.n), so the ports stay those of the files and other servers are never met.
"""

import asyncio
import json
import random
import shutil
import urllib.request
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from outrider.bus.embedded import executable
from outrider.identity import tls
from outrider_playground.children import Child
from outrider_playground.waiting import eventually

BUS_CONFIG = Path(__file__).parents[3] / "bus-config"
PORT, MONITOR_PORT = 4222, 8222
ZONES = ("az:a", "az:b", "az:c")
READY_WITHIN_S = 40


@dataclass(frozen=True)
class Node:
    """One server, which may be killed and started again."""

    name: str
    address: str
    child: Child

    async def monitor(self, path: str) -> dict[str, Any]:
        """Ask the server itself, over its loopback monitor. OSError while it is not there."""
        return await asyncio.to_thread(self._monitor, path)

    def _monitor(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://{self.address}:{MONITOR_PORT}/{path}", timeout=5) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    async def is_ready(self) -> bool:
        """Whether it serves, has its JetStream, and knows how far the others are."""
        try:
            return (await self.monitor("healthz")).get("status") == "ok"
        except OSError:
            return False


def free_network(dice: random.Random) -> tuple[str, ...]:
    """Return three loopback addresses that nobody uses, most likely."""
    network = f"127.{dice.randint(1, 254)}.{dice.randint(0, 254)}"
    return tuple(f"{network}.{number}" for number in range(1, len(ZONES) + 1))


def write_route_certificates(state: Path, addresses: tuple[str, ...]) -> None:
    """Write what the nodes know one another by, from an authority of its own."""
    folder, now = state / "nats" / "tls", datetime.now(UTC)
    authority = tls.make_authority(now)
    route = tls.make_route(authority, list(addresses), now)
    (folder / "route-authority.pem").write_text(authority.certificate)
    (folder / "route.pem").write_text(route.certificate)
    (folder / "route-key.pem").write_text(route.key)


@asynccontextmanager
async def running_nodes(
    folder: Path, state: Path, addresses: tuple[str, ...], *, ping_interval: str = "2m"
) -> AsyncIterator[list[Node]]:
    """Start three nodes that trust the hub in `state`; enter once they are a cluster with a leader.

    `ping_interval`: how often they look whether a client is still there, in place of the files' own.
    """
    write_route_certificates(state, addresses)
    async with AsyncExitStack() as stack:
        nodes = []
        for number, (address, zone) in enumerate(zip(addresses, ZONES, strict=True), start=1):
            place = await asyncio.to_thread(_laid_out, folder, state, number, addresses, ping_interval)
            environment = {"OUTRIDER_NODE": place.name, "OUTRIDER_ZONE": zone}
            arguments = [executable(), "-c", "three-nodes.conf"]
            child = Child(place.name, arguments, environment, folder / f"{place.name}.log", place)
            nodes.append(Node(place.name, address, child))
            await child.start()
            stack.push_async_callback(child.stop)
        for node in nodes:
            await eventually(node.is_ready, READY_WITHIN_S)
        yield nodes


def _laid_out(folder: Path, state: Path, number: int, addresses: tuple[str, ...], ping_interval: str) -> Path:
    place = folder / f"nats-{number}"
    shutil.copytree(BUS_CONFIG, place, ignore=shutil.ignore_patterns("generated", "data"))
    (place / "generated").symlink_to((state / "nats").resolve())
    for file in place.rglob("*.conf"):
        if "generated" in file.parts:
            continue
        text = file.read_text().replace('ping_interval: "2m"', f'ping_interval: "{ping_interval}"')
        for wildcard in ('"0.0.0.0:', '"127.0.0.1:'):
            text = text.replace(wildcard, f'"{addresses[number - 1]}:')
        for other, address in enumerate(addresses, start=1):
            text = text.replace(f"nats-route://nats-{other}:", f"nats-route://{address}:")
        file.write_text(text)
    return place
