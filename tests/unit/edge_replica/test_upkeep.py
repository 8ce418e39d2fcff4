"""Who looks after the replica: what is lost is had again, told, and forgotten a day later."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_agent.journal import Journal
from edge_agent.link.about import About
from edge_agent.replica import Database, Loss
from edge_agent.upkeep import Upkeep
from outrider.tasks import background
from outrider_playground.waiting import eventually


@dataclass
class Site:
    """Everything around a replica, and what it heard."""

    database: Database
    about: About
    upkeep: Upkeep = field(init=False)
    heard: list[tuple[Any, ...]] = field(default_factory=list)
    needed: set[bytes] = field(default_factory=set)

    def begin_again(self) -> None:
        self.heard.append(("begin again",))

    def fetch_again(self, digest: bytes) -> bool:
        self.heard.append(("fetch", digest))
        return digest in self.needed

    def render_again(self, app: str) -> None:
        self.heard.append(("render", app))

    def hurry(self) -> None:
        pass

    def note(self, app: str, *more: Any) -> None:
        self.heard.append(("note", app, *more))

    def write_again(self, *, everything: bool) -> None:
        self.heard.append(("write again", everything))

    def bundle_held(self, short_digest: str) -> None:
        self.heard.append(("held", short_digest))

    def bundles_in_use(self) -> tuple[str, ...]:
        return ()

    def said(self, kind: str) -> str:
        conditions = self.about.document()["conditions"]
        return next((str(one["message"]) for one in conditions if one["type"] == kind), "")


@asynccontextmanager
async def looked_after(path: Path) -> AsyncIterator[Site]:
    database = Database(path)
    about = About()
    site = Site(database, about)
    site.upkeep = Upkeep(database, Journal(database), about, site, lambda: 1_796_000_000.0)
    site.upkeep.start(site)
    async with background(site.upkeep.run(), name="upkeep"):
        yield site
    database.close()


async def test_a_lost_record_is_asked_for_and_told_of(tmp_path: Path) -> None:
    async with looked_after(tmp_path / "replica") as site:
        await asyncio.to_thread(site.database.lost, Loss("record", "till", "both copies of it are damaged"))
        await eventually(lambda: "asked for again" in site.said("ReplicaRebuilt"))
        assert ("begin again",) in site.heard
        (note,) = [one for one in site.heard if one[:2] == ("note", "till") and isinstance(one[2], list)]
        assert note[2][0]["why"] == "both copies of it are damaged"
        assert site.about.document()["replica"]["rebuilt_at"] == "2026-11-30T00:53:20Z"


async def test_a_damaged_file_has_everything_written_and_asked_for_again(tmp_path: Path) -> None:
    async with looked_after(tmp_path / "replica") as site:
        site.database._home.rebuild("its pages are mixed up")
        await eventually(lambda: "its pages are mixed up" in site.said("ReplicaRebuilt"))
        assert site.heard[:2] == [("begin again",), ("write again", True)]


async def test_a_bundle_that_nothing_needs_is_nobody_s_business(tmp_path: Path) -> None:
    async with looked_after(tmp_path / "replica") as site:
        site.needed.add(b"needed")
        site.database.lost(Loss("bundle", b"other".hex()))
        await eventually(lambda: ("fetch", b"other") in site.heard)
        assert site.said("ReplicaRebuilt") == ""
        site.database.lost(Loss("bundle", b"needed".hex()))
        await eventually(lambda: "fetched again" in site.said("ReplicaRebuilt"))


async def test_what_was_rendered_here_and_is_lost_is_rendered_again(tmp_path: Path) -> None:
    async with looked_after(tmp_path / "replica") as site:
        site.database.lost(Loss("rendering", "till"))
        await eventually(lambda: ("render", "till") in site.heard)


async def test_a_burst_of_losses_is_told_of_once(tmp_path: Path) -> None:
    async with looked_after(tmp_path / "replica") as site:
        documents: list[dict[str, Any]] = []
        site.about.on_change = documents.append
        for n in range(50):
            site.database.lost(Loss("copy", f"app-{n}"))
        await eventually(lambda: "and 40 more" in site.said("ReplicaRebuilt"))
        assert len(documents) <= 4
