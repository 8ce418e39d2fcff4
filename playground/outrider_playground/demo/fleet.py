"""The demo's fleet: one hub, edges behind links, one repository, three applications on each edge."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outrider.bus import BusError
from outrider_playground.demo import content
from outrider_playground.demo.edge import Edge, running_edge
from outrider_playground.demo.hub import Hub, OneNodeHub, running_hub
from outrider_playground.demo.repository import Repository
from outrider_playground.demo.three_nodes import Options, ThreeNodeHub, running_three_nodes
from outrider_playground.waiting import eventually

LOOKS_EVERY_S = "2"
# Seconds between looks at the repository: who commits in a demo wants to see it arrive.


def healthy(item: dict[str, Any]) -> bool:
    """Whether the hub says of an application that it runs as it should, and has said so of late."""
    seen = item["health"], item["sync"], item["freshness"], item["delivered"]
    return seen == ("Healthy", "Synced", "fresh", True)


@dataclass
class Fleet:
    """Everything that runs, whatever its hub is made of."""

    folder: Path
    hub: Hub
    repository: Repository
    edges: list[Edge]

    def edge(self, name: str) -> Edge:
        """Return an edge by name."""
        return next(edge for edge in self.edges if edge.name == name)

    async def known(self) -> dict[str, dict[str, Any]]:
        """Return what the hub knows of the applications, by name; nothing while it does not answer."""
        try:
            return {item["name"]: item for item in await self.hub.applications()}
        except BusError:
            return {}

    async def until(
        self, condition: Callable[[dict[str, dict[str, Any]]], bool], within_s: float = 30
    ) -> None:
        """Wait until what the hub knows of the applications, by name, meets a condition."""

        async def met() -> bool:
            known = await self.known()
            return bool(known) and condition(known)

        await eventually(met, within_s)

    def wan_bytes(self) -> int:
        """Return the bytes on all links so far."""
        return sum(sum(edge.wan_bytes().values()) for edge in self.edges)

    async def commit(self, path: str, old: str, new: str, message: str) -> str:
        """Change a file, commit, and tell the hub as a webhook does."""
        revision = await asyncio.to_thread(self.repository.replace, path, old, new, message)
        await self.hub.refresh(self.repository.url)
        return revision


@dataclass
class OneNodeFleet(Fleet):
    """A fleet whose hub is `outrider up`."""

    hub: OneNodeHub


@dataclass
class ThreeNodeFleet(Fleet):
    """A fleet whose hub is three NATS nodes and two of each service."""

    hub: ThreeNodeHub


@asynccontextmanager
async def running_fleet(
    folder: Path, edges: int, say: Callable[[str], None], settings: Mapping[str, str] | None = None
) -> AsyncIterator[OneNodeFleet]:
    """Start it all, and apply the applications. `settings`: of the agents, by environment variable."""
    say("starting the hub")
    options = ("--poll-interval", LOOKS_EVERY_S, "--metrics", "off")
    async with AsyncExitStack() as stack:
        running = running_hub(folder / "hub", *options, log_folder=folder / "logs")
        hub = await stack.enter_async_context(running)
        repository, started = await _filled(stack, folder, hub, edges, say, settings or {})
        yield OneNodeFleet(folder, hub, repository, started)


@asynccontextmanager
async def running_fleet_of_three(
    folder: Path,
    edges: int,
    say: Callable[[str], None],
    settings: Mapping[str, str] | None = None,
    *,
    options: Options | None = None,
) -> AsyncIterator[ThreeNodeFleet]:
    """The same with three NATS nodes."""
    say("starting three NATS nodes, and two of each service")
    async with AsyncExitStack() as stack:
        running = running_three_nodes(folder / "hub", log_folder=folder / "logs", options=options)
        hub = await stack.enter_async_context(running)
        repository, started = await _filled(stack, folder, hub, edges, say, settings or {})
        yield ThreeNodeFleet(folder, hub, repository, started)


async def _filled(
    stack: AsyncExitStack,
    folder: Path,
    hub: Hub,
    edges: int,
    say: Callable[[str], None],
    settings: Mapping[str, str],
) -> tuple[Repository, list[Edge]]:
    repository = await asyncio.to_thread(Repository.create, folder / "repository", content.files())
    names = [f"edge-{n}" for n in range(1, edges + 1)]
    say(f"registering {edges} clusters and starting their agents")
    started = [await _started(stack, folder, hub, name, settings) for name in names]
    say("applying the applications")
    manifests = folder / "applications"
    _write_applications(manifests, names, repository.url)
    await hub.outrider("app", "apply", "-f", str(manifests))
    return repository, started


async def _started(
    stack: AsyncExitStack, folder: Path, hub: Hub, name: str, settings: Mapping[str, str]
) -> Edge:
    credentials = folder / f"{name}.creds"
    await hub.outrider(
        "cluster", "add", name, "--credentials-only", "--out", str(credentials), "--label", "demo=yes"
    )
    running = running_edge(name, folder / name, hub.listeners, credentials, **settings)
    return await stack.enter_async_context(running)


def _write_applications(folder: Path, clusters: list[str], repo_url: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for cluster in clusters:
        documents = [content.application(path, cluster, repo_url) for path in content.APPLICATIONS]
        (folder / f"{cluster}.yaml").write_text("---\n".join(documents))
