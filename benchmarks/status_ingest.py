"""Status changes folded a second by one aggregator, from the first that is published until the cursor is past the last.

Everything is in it: TLS, the stream and the bucket on disk with an fsync before every acknowledgement, events, the view. What
changes again before its commit was written is written once, and what waited is folded together: how often that was is told beside
the rate.
"""

import asyncio
import time
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.feeders import Feeder, feeding
from benchmarks.hub import add_clusters, hub_with, processes_of
from benchmarks.measure import Measurement, cpu_seconds
from outrider.bus import NotFound, connected
from outrider.bus.jetstream import JetStream
from outrider.identity import credentials
from outrider.topology import STATUS, STATUSES
from outrider_playground.demo.hub import Hub, free_port
from status_aggregator.records import CURSOR, Cursor

FEEDERS = 2
CLUSTERS = 200
APPLICATIONS = 50
# Of each cluster.
BATCH = 50
BATCHES = 80
# Of each cluster: 800,000 changes.
LOOKS_EVERY_S = 0.1


async def ingest(
    folder: Path, *, clusters: int = CLUSTERS, applications: int = APPLICATIONS, batches: int = BATCHES
) -> Measurement:
    """Measure one aggregator with a hub of its own around it."""
    metrics = f"127.0.0.1:{free_port()}"
    async with hub_with(folder, {"README.md": "empty"}, "--metrics", metrics) as (hub, _):
        names = [f"edge-{n:04}" for n in range(clusters)]
        await add_clusters(hub, names, folder / "credentials")
        each = [
            [
                *("--credentials", str(folder / "credentials"), "--server", f"tls://localhost:{hub.port}"),
                *("--applications", str(applications), "--batch", str(BATCH), "--batches", str(batches)),
                *names[n::FEEDERS],
            ]
            for n in range(FEEDERS)
        ]
        async with feeding("benchmarks.status_feed", each) as feeders:
            for feeder in feeders:
                await feeder.said()
            await _folded(hub)
            before = await _counters(metrics)
            pids = processes_of(hub)
            used = {name: cpu_seconds(pid) for name, pid in pids.items()}
            fed = await _fed(feeders)
            ended_s = await _folded(hub)
            used = {f"cpu_s_{name}": round(cpu_seconds(pid) - used[name], 1) for name, pid in pids.items()}
            after = await _counters(metrics)
        changes = clusters * batches * BATCH
        began_s = min(one["began_s"] for one in fed)
        counted = {name: round(after[name] - before[name]) for name in after}
        if counted["changes"] != changes or counted["asks"]:
            raise RuntimeError(f"{changes} changes were sent, {counted} were counted")
        seconds = ended_s - began_s
        return Measurement(
            "status-ingest",
            round(changes / seconds),
            "changes/s",
            {
                "changes": changes, "seconds": round(seconds, 1), "clusters": clusters,
                "applications": clusters * applications, "batch": BATCH,
                "published_within_s": round(max(one["ended_s"] for one in fed) - began_s, 1),
                "bytes_a_change": round(sum(one["bytes"] for one in fed) / changes),
                "documents_written": counted["documents_written"],
                "changes_coalesced": counted["changes_coalesced"],
                "events_published": counted["events_published"],
                "events_coalesced": counted["events_coalesced"],
                "feeding_processes": FEEDERS, "sync_interval": "always", "tls": "1.3", **used,
            },
        )  # fmt: skip


async def _fed(feeders: list[Feeder]) -> list[dict[str, Any]]:
    for feeder in feeders:
        await feeder.go()
    return [await feeder.said() for feeder in feeders]


async def _folded(hub: Hub) -> float:
    """Return when all that the stream holds was folded and committed."""
    settings = credentials.bus_settings(
        hub.state / "credentials" / "aggregator.creds", (f"tls://localhost:{hub.port}",)
    )
    async with connected(settings, alone=True) as connection:
        js = JetStream(connection)
        last = (await js.api(f"STREAM.INFO.{STATUS.name}"))["state"]["last_seq"]
        while (await _cursor(js)).seq < last:  # noqa: ASYNC110 nothing tells it
            await asyncio.sleep(LOOKS_EVERY_S)
        return time.monotonic()


async def _cursor(js: JetStream) -> Cursor:
    try:
        return Cursor.unpack((await js.last(STATUSES.stream, f"$KV.{STATUSES.name}.{CURSOR}")).data)
    except NotFound:
        return Cursor(0)


async def _counters(metrics: str) -> dict[str, float]:
    def read() -> str:
        with urllib.request.urlopen(f"http://{metrics}/metrics") as answer:
            return str(answer.read(), "utf-8")

    lines = (line for line in (await asyncio.to_thread(read)).splitlines() if not line.startswith("#"))
    found = dict(line.rsplit(" ", 1) for line in lines)
    names = {
        "changes": "outrider_status_changes_total", "asks": "outrider_status_asks_total",
        "changes_coalesced": "outrider_status_changes_coalesced_total",
        "documents_written": "outrider_status_documents_written_total",
        "events_published": "outrider_events_published_total", "events_coalesced": "outrider_events_coalesced_total",
    }  # fmt: skip
    return {name: float(found[metric]) for name, metric in names.items()}
