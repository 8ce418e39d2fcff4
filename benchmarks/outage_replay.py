"""Eight hours without the hub, at one edge, and the link's return: bytes on the wire, and seconds until the hub is right again.

What happens in eight hours happens in some minutes here: hands that change objects and are healed or not, pods that restart, commits at the
hub. It takes the same ways through agent and replica, and leaves the same documents and the same journal.
"""

import asyncio
import random
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.hub import application, apply_all, documents, edge_of, hub_with, until_healthy, workload
from benchmarks.measure import Measurement, spread
from benchmarks.wan_bytes import FIRST_PING_S, quiet
from outrider import subjects
from outrider.bus.services import ask
from outrider_playground.demo.edge import Edge
from outrider_playground.demo.hub import Hub
from outrider_playground.demo.repository import Repository
from outrider_playground.waiting import eventually

APPLICATIONS = 50
LEFT_ALONE = 10
# Of them nothing is healed: what a hand changes there stays.
HOURS = 8
HEALED, RESTARTED, CHANGED, COMMITS = 6, 6, 1, 1
# An hour, at the whole edge.
TOUCHED = 5
# Applications that one commit changes.
RETURNS = 20
# Short outages, for how soon a return is noticed.
AWAY_S = (2.0, 6.0)
WITHIN_S = 120.0


@dataclass
class Site:
    """The edge, its hub, and what has been committed."""

    hub: Hub
    edge: Edge
    repository: Repository
    tags: dict[str, str]

    async def commit(self, number: int) -> None:
        """Change the image of some applications that heal."""
        for n in range(TOUCHED):
            self.tags[f"app-{LEFT_ALONE + (number * TOUCHED + n) % (APPLICATIONS - LEFT_ALONE)}"] = (
                f"1.{number + 1}"
            )
        await asyncio.to_thread(self.repository.commit, files(self.tags), "bump")
        await self.hub.refresh(self.repository.url)

    async def change(self, app: str, colour: str) -> None:
        """Edit an object by hand, and wait until that is healed where it is."""
        target = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": app, "namespace": app}}
        self.edge.cluster.edit(target, {"data": {"colour": colour}}, manager="kubectl-edit")
        if int(app.removeprefix("app-")) >= LEFT_ALONE:
            await eventually(lambda: self.edge.cluster.read(target)["data"]["colour"] == "blue", WITHIN_S)

    async def restart(self, app: str) -> None:
        """Delete a pod, and wait until another one is ready."""
        before = {pod["metadata"]["uid"]: pod for pod in self.edge.cluster.objects("Pod", namespace=app)}
        for pod in before.values():
            self.edge.cluster.delete(pod)

        def is_ready() -> bool:
            pods = self.edge.cluster.objects("Pod", namespace=app)
            return bool(pods) and all(pod["metadata"]["uid"] not in before and _is_ready(pod) for pod in pods)

        await eventually(is_ready, WITHIN_S)

    async def shown(self) -> dict[str, dict[str, Any]]:
        """Return what the hub shows of each application."""
        return {item["name"]: item for item in await self.hub.applications()}


def files(tags: dict[str, str]) -> dict[str, str]:
    """Return the repository's content."""
    image = "registry.example.com/app"
    return {f"{app}/all.yaml": documents(workload(app, f"{image}:{tag}")) for app, tag in tags.items()}


async def replay(folder: Path) -> Measurement:
    """Measure the return after eight hours, then how soon short outages are over."""
    tags = {f"app-{n}": "1.0" for n in range(APPLICATIONS)}
    async with hub_with(folder, files(tags)) as (hub, repository), edge_of(hub, folder) as edge:
        site = Site(hub, edge, repository, tags)
        await apply_all(hub, [_application(site, n) for n in range(APPLICATIONS)])
        await until_healthy(hub, APPLICATIONS)
        await asyncio.sleep(FIRST_PING_S)
        await quiet(edge)
        await edge.link.cut()
        entries = _journal_end(edge)
        changed = await _eight_hours(site)
        entries = _journal_end(edge) - entries
        back, wire = await _return(site, changed)
        returns = [await _short_outage(site, n) for n in range(RETURNS)]
        return Measurement(
            "outage-replay",
            {**back, **{f"short_outage_{name}": value for name, value in spread(returns).items()}, **wire},
            "seconds and bytes",
            {
                "applications": APPLICATIONS, "objects": 4 * APPLICATIONS, "hours": HOURS, "journal_entries": entries,
                "healed": HEALED * HOURS, "pods_restarted": RESTARTED * HOURS, "changed_and_left": CHANGED * HOURS,
                "commits": COMMITS * HOURS, "applications_a_commit": TOUCHED, "tls": "1.3",
                "metering": edge.link.metering,
            },
        )  # fmt: skip


def _application(site: Site, number: int) -> dict[str, Any]:
    name = f"app-{number}"
    manifest = application(name, site.edge.name, site.repository.url, name)
    manifest["spec"]["syncPolicy"]["automated"]["selfHeal"] = number >= LEFT_ALONE
    return manifest


async def _eight_hours(site: Site) -> set[str]:
    """Let happen what happens; return the applications that are out of sync at the end."""
    rng = random.Random(8)  # noqa: S311 - no secret
    happenings = ["heal"] * HEALED + ["restart"] * RESTARTED + ["change"] * CHANGED + ["commit"] * COMMITS
    changed: set[str] = set()
    commits = 0
    for _ in range(HOURS):
        for happening in rng.sample(happenings, len(happenings)):
            healing = f"app-{rng.randrange(LEFT_ALONE, APPLICATIONS)}"
            if happening == "heal":
                await site.change(healing, f"red-{rng.random()}")
            elif happening == "restart":
                await site.restart(healing)
            elif happening == "change":
                left = f"app-{rng.randrange(LEFT_ALONE)}"
                changed.add(left)
                await site.change(left, f"red-{rng.random()}")
            else:
                await site.commit(commits)
                commits += 1
    return changed


async def _return(site: Site, changed: set[str]) -> tuple[dict[str, float | int], dict[str, float | int]]:
    """Restore the link; return the seconds until each thing is as it should be, and the bytes that it took."""
    last, tags = _journal_end(site.edge), dict(site.tags)
    touched = {app for app, tag in tags.items() if tag != "1.0"}
    before, restored_ms, restored_s = site.edge.link.counters(), time.time() * 1000, time.monotonic()
    await site.edge.link.restore()
    found: dict[str, float | int] = {}

    async def told() -> bool:
        shown = await site.shown()
        right = (
            all(
                item["freshness"] == "fresh" and item["heard_at_ms"] >= restored_ms for item in shown.values()
            )
            and {app for app, item in shown.items() if item["sync"] == "OutOfSync"} - touched == changed
        )
        if right:
            found.setdefault("hub_correct_s", round(time.monotonic() - restored_s, 2))
        synced = all(
            shown[app]["delivered"] and (shown[app]["sync"], shown[app]["health"]) == ("Synced", "Healthy")
            for app in touched
        )
        if right and synced:
            found.setdefault("newest_commits_run_s", round(time.monotonic() - restored_s, 2))
        if await _replayed(site.hub, site.edge) >= last:
            found.setdefault("journal_replayed_s", round(time.monotonic() - restored_s, 2))
        return len(found) == 3

    await eventually(told, WITHIN_S)
    await quiet(site.edge)
    spent = site.edge.link.counters() - before
    images = {app: site.edge.image(app, app).rpartition(":")[2] for app in tags}
    if images != tags:
        raise RuntimeError("the edge does not run what was committed last")
    return found, {"bytes_up": spent.up.wire_bytes, "bytes_down": spent.down.wire_bytes}


async def _short_outage(site: Site, number: int) -> float:
    """Cut the link for a moment in which one application changes; return the seconds until the hub shows it."""
    await quiet(site.edge)
    await site.edge.link.cut()
    colour = "blue" if number % 2 else "red"
    await site.change("app-0", colour)
    await asyncio.sleep(random.uniform(*AWAY_S))  # noqa: S311 - no secret
    restored_ms, restored_s = time.time() * 1000, time.monotonic()
    await site.edge.link.restore()

    async def told() -> bool:
        item = (await site.shown())["app-0"]
        is_right = item["sync"] == ("Synced" if colour == "blue" else "OutOfSync")
        return is_right and bool(item["freshness"] == "fresh" and item["heard_at_ms"] >= restored_ms)

    await eventually(told, WITHIN_S)
    return time.monotonic() - restored_s


async def _replayed(hub: Hub, edge: Edge) -> int:
    asked = {"cluster": edge.name, "limit": 1}
    items = (await ask(hub.connection, subjects.status_query("journal"), asked))["items"]
    return int(items[-1]["place"][1]) if items else 0


def _journal_end(edge: Edge) -> int:
    """Return the number of the newest entry in the agent's replica."""
    with closing(sqlite3.connect(f"file:{edge.replica}?mode=ro", uri=True)) as replica:
        return int(replica.execute("SELECT coalesce(max(last_seq), 0) FROM journal").fetchone()[0])


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
