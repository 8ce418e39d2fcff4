"""Bytes on the wire between one agent and its hub: TLS 1.3, TCP and IPv4 headers and acknowledgements included."""

import asyncio
import time
from pathlib import Path

from benchmarks.hub import application, apply_all, documents, edge_of, hub_with, until_healthy, workload
from benchmarks.measure import Measurement
from outrider import subjects
from outrider.bus.services import ask
from outrider_playground.demo.edge import Edge
from outrider_playground.waiting import eventually
from outrider_playground.wan import Counters

OBJECTS = 56
QUIET_S = 1.5
# Nothing moved for so long: the episode is over. Below the ping interval, above every delay of the agent.
ROUNDS = 5
BATCH = 50
FIRST_PING_S = 5.0
# The server pings a client once, some seconds after its connect, to learn the round-trip time.
IDLE_S = 660.0
# Six pings of the agent and five of the server.
HEARTBEAT_S = 600
# Three times as often as the default, so that one falls into the window: the figure is above what an agent costs.
DAY_S = 86_400.0


async def quiet(edge: Edge) -> None:
    """Wait until the link has been quiet for a while."""
    last, since = edge.link.counters().total, time.monotonic()
    while time.monotonic() - since < QUIET_S:
        await asyncio.sleep(0.02)
        now = edge.link.counters().total
        if now != last:
            last, since = now, time.monotonic()


def _large_bundle(tag: str) -> dict[str, str]:
    groups = [
        workload(f"part-{n}", f"registry.example.com/part:{tag if n == 7 else '1.0'}")
        for n in range(OBJECTS // 4)
    ]
    for n, group in enumerate(groups):
        group[1]["data"]["text"] = " ".join(f"{n}-{m}-{n * 7919 + m * 104729}" for m in range(200))
    return {"app/all.yaml": documents([one for group in groups for one in group])}


async def image_bump(folder: Path) -> Measurement:
    """Measure one changed image tag in a bundle of 56 objects, to one cluster: the record, and the whole episode."""
    async with hub_with(folder, _large_bundle("1.0")) as (hub, repository), edge_of(hub, folder) as edge:
        await apply_all(hub, [application("app", edge.name, repository.url, "app")])
        await until_healthy(hub, 1)
        await asyncio.sleep(FIRST_PING_S)
        record, episode = [], []
        for n in range(ROUNDS):
            await quiet(edge)
            before = edge.link.counters()
            await asyncio.to_thread(repository.commit, _large_bundle(f"1.{n + 1}"), "bump")
            await ask(hub.connection, subjects.render("default", "refresh"), {"url": repository.url})
            # The record goes down at once; the agent says nothing for 200 ms after its first change.
            await _moved(edge, before, way="down")
            await asyncio.sleep(0.1)
            record.append((edge.link.counters() - before).total.wire_bytes)
            await quiet(edge)
            episode.append((edge.link.counters() - before).total.wire_bytes)
        size = len(_large_bundle("1.0")["app/all.yaml"])
        return Measurement(
            "wan-bytes-image-bump",
            {"record": max(record), "until_healthy_both_ways": max(episode)},
            "bytes",
            {
                "objects": OBJECTS,
                "manifest_bytes": size,
                "rounds": ROUNDS,
                "tls": "1.3",
                "metering": edge.link.metering,
            },
        )


async def _moved(edge: Edge, before: Counters, *, way: str) -> None:
    """Wait until the first byte in one direction."""

    def moved() -> bool:
        now = edge.link.counters()
        return bool(getattr(now, way).payload_bytes > getattr(before, way).payload_bytes)

    await eventually(moved)


async def status_change(folder: Path) -> Measurement:
    """Measure one change of state of an application of 4 objects: batch, acknowledgement, and their TCP.

    A field is edited by hand where nothing heals: Synced, OutOfSync, and back.
    """
    files = {"app/all.yaml": documents(workload("app", "registry.example.com/app:1.0"))}
    async with hub_with(folder, files) as (hub, repository), edge_of(hub, folder) as edge:
        manifest = application("app", edge.name, repository.url, "app")
        manifest["spec"]["syncPolicy"]["automated"]["selfHeal"] = False
        await apply_all(hub, [manifest])
        await until_healthy(hub, 1)
        live = edge.cluster.get("ConfigMap", "app", "app")
        if live is None:
            raise RuntimeError("the ConfigMap is gone")
        await asyncio.sleep(FIRST_PING_S)
        spent = []
        for n in range(ROUNDS):
            await quiet(edge)
            before = edge.link.counters()
            edge.cluster.edit(live, {"data": {"colour": "blue" if n % 2 else "red"}}, "kubectl-edit")
            await _moved(edge, before, way="up")
            await quiet(edge)
            spent.append((edge.link.counters() - before).total.wire_bytes)
        return Measurement(
            "wan-bytes-status-change",
            {"max": max(spent), "min": min(spent)},
            "bytes",
            {
                "rounds": ROUNDS,
                "both_ways": True,
                "after_first_server_ping": True,
                "tls": "1.3",
                "metering": edge.link.metering,
            },
        )


async def status_batch(folder: Path) -> Measurement:
    """Measure changes of state of many applications at once, each of 4 objects: batches, acknowledgements, and their TCP."""
    names = [f"app-{n}" for n in range(BATCH)]
    files = {f"{name}/all.yaml": documents(workload(name, "registry.example.com/app:1.0")) for name in names}
    async with hub_with(folder, files) as (hub, repository), edge_of(hub, folder) as edge:
        manifests = [application(name, edge.name, repository.url, name) for name in names]
        for manifest in manifests:
            manifest["spec"]["syncPolicy"]["automated"]["selfHeal"] = False
        await apply_all(hub, manifests)
        await until_healthy(hub, BATCH)
        await asyncio.sleep(FIRST_PING_S)
        spent = []
        for n in range(ROUNDS):
            await quiet(edge)
            before = edge.link.counters()
            for name in names:
                live = edge.cluster.get("ConfigMap", name, name)
                if live is None:
                    raise RuntimeError(f"the ConfigMap of {name} is gone")
                edge.cluster.edit(live, {"data": {"colour": "blue" if n % 2 else "red"}}, "kubectl-edit")
            await _moved(edge, before, way="up")
            await quiet(edge)
            spent.append((edge.link.counters() - before).total.wire_bytes / BATCH)
        return Measurement(
            "wan-bytes-status-batch-50",
            {"max_each": round(max(spent), 1), "min_each": round(min(spent), 1)},
            "bytes",
            {
                "applications": BATCH, "rounds": ROUNDS, "both_ways": True, "after_first_server_ping": True,
                "tls": "1.3", "metering": edge.link.metering,
            },
        )  # fmt: skip


async def idle_day(folder: Path) -> Measurement:
    """Measure an idle link for eleven minutes, with a heartbeat in it, and scale it to a day."""
    files = {"app/all.yaml": documents(workload("app", "registry.example.com/app:1.0"))}
    heartbeat = {"OUTRIDER_HEARTBEAT": str(HEARTBEAT_S)}
    async with hub_with(folder, files) as (hub, repository), edge_of(hub, folder, **heartbeat) as edge:
        await apply_all(hub, [application("app", edge.name, repository.url, "app")])
        await until_healthy(hub, 1)
        await asyncio.sleep(FIRST_PING_S)
        await quiet(edge)
        before = edge.link.counters()
        await asyncio.sleep(IDLE_S)
        idle = (edge.link.counters() - before).total
        return Measurement(
            "wan-bytes-idle-day",
            {"bytes": round(idle.wire_bytes * DAY_S / IDLE_S), "window_bytes": idle.wire_bytes},
            "bytes",
            {
                "window_s": IDLE_S, "heartbeat_s": HEARTBEAT_S, "default_heartbeat_s": 1800, "tls": "1.3",
                "metering": edge.link.metering,
            },
        )  # fmt: skip
