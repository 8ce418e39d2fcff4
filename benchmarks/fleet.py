"""Many edges in a few processes, and what the hub's own bucket says of them as it is written."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.hub import add_clusters
from outrider.bus import connected
from outrider.bus.buckets import Change, KeyValue
from outrider.bus.jetstream import JetStream
from outrider.records import EdgeRecord
from outrider.tasks import background
from outrider.topology import STATUSES
from outrider_playground.children import Child, python
from outrider_playground.demo.hub import Hub
from status_aggregator.records import Key

PROCESSES = 2
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a folder of its own in it


@asynccontextmanager
async def many_edges(
    hub: Hub, folder: Path, names: list[str], module: str, *options: str, processes: int = PROCESSES
) -> AsyncIterator[list[Child]]:
    """Run edges: `light_agents`, with engines over simulated clusters, or `light_edges`, without; `options` are those of the module."""
    credentials = folder / "credentials"
    await add_clusters(hub, names, credentials)
    async with AsyncExitStack() as stack:
        # In memory: each edge has a disk of its own, and those of thousands don't wait for one.
        state = stack.enter_context(TemporaryDirectory(prefix="outrider-edges-", dir=MEMORY))
        children = []
        for n in range(processes):
            places = ("--credentials", str(credentials), "--state", state)
            server = ("--server", f"tls://localhost:{hub.port}")
            child = python(
                f"agents-{n}", f"outrider_playground.{module}", *places, *server, *options, *names[n::processes],
                environment={}, log_folder=folder / "logs",
            )  # fmt: skip
            await child.start()
            stack.push_async_callback(_stop, child)
            children.append(child)
        yield children


async def _stop(child: Child) -> None:
    await child.kill()


class Heard:
    """When each cluster was heard of, and is online, as the hub writes it down."""

    def __init__(self) -> None:
        self.since_ms = 0
        self.at_s: dict[str, float] = {}
        self._records: dict[str, EdgeRecord] = {}

    def begin(self) -> None:
        """Count from here on."""
        self.since_ms = time.time_ns() // 1_000_000
        self.at_s.clear()

    def take(self, key: Key, change: Change) -> None:
        """Take in what was written of a cluster."""
        if key.app or change.value is None:
            return
        record = EdgeRecord.unpack(change.value)
        if record.online and record.heard_at_ms >= self.since_ms:
            self.at_s.setdefault(key.cluster, time.monotonic())


@asynccontextmanager
async def watching(hub: Hub, take: Callable[[Key, Change], None]) -> AsyncIterator[None]:
    """Call `take` for all that the aggregator writes, and first for all that there is."""
    caught_up = asyncio.Event()

    async def watch() -> None:
        async with connected(hub.settings("aggregator"), alone=True) as connection:
            changes = KeyValue(JetStream(connection), STATUSES).watch()
            async with aclosing(changes):  # type: ignore[type-var]
                async for some in changes:
                    for change in some.changes:
                        if (key := Key.parse(change.key)) is not None:
                            take(key, change)
                    if some.caught_up:
                        caught_up.set()

    async with background(watch(), name="watch what the aggregator writes"):
        await caught_up.wait()
        yield
