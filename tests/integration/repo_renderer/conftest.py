"""A renderer as it runs, with the test in place of the registry: real Git on disk, real sandboxed workers, a real server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack
import pytest

from outrider import delta, subjects
from outrider.bus import Connection, NoResponders
from outrider.bus.buckets import KeyValue
from outrider.bus.jetstream import JetStream
from outrider.bus.objects import Objects
from outrider.bus.services import RequestRefused, ask
from outrider.identity.sealing import generate_key, public_key, seal
from outrider.records import RenderingRecord, RepositoryRecord, SourceRecord, repository_key, source_key
from outrider.rendering.charts import ChartStore
from outrider.rendering.checkouts import Checkouts
from outrider.rendering.git.address import AddressPolicy
from outrider.rendering.git.store import GitStore
from outrider.rendering.pool import RenderPool
from outrider.rendering.settings import RenderSettings
from outrider.tasks import background
from outrider.topology import BUNDLES, RENDERINGS, REPOSITORIES, SOURCES
from outrider_playground.demo import content
from outrider_playground.demo.repository import Repository
from outrider_playground.waiting import eventually
from repo_renderer.service import work
from repo_renderer.settings import Settings

SEALING_KEY = generate_key()


@dataclass
class Registry:
    """Says what it wants rendered, hears what became of it."""

    connection: Connection
    repository: Repository
    objects: Objects
    records: dict[str, RenderingRecord] = field(default_factory=dict)
    writes: int = 0
    heard: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def want(self, path: str, context: dict[str, Any] | None = None, **source: Any) -> str:
        wanted = {"repoURL": self.repository.url, "path": path, "targetRevision": "main", **source}
        key = source_key(self.repository.url, wanted, context or {})
        record = SourceRecord(self.repository.url, "default", wanted, context or {})
        await KeyValue(JetStream(self.connection), SOURCES).put(key, record.pack())
        return key

    async def want_several(self, *sources: dict[str, Any], context: dict[str, Any] | None = None) -> str:
        wanted = [{"path": "", **source} for source in sources]
        url = wanted[0]["repoURL"]
        key = source_key(url, {"sources": wanted}, context or {})
        record = SourceRecord(url, "default", {}, context or {}, wanted)
        await KeyValue(JetStream(self.connection), SOURCES).put(key, record.pack())
        return key

    async def register(self, url: str, **secret: str) -> None:
        sealed = seal(secret, public_key(SEALING_KEY))
        record = RepositoryRecord(url, sealed=sealed)
        await KeyValue(JetStream(self.connection), REPOSITORIES).put(repository_key(url), record.pack())

    async def render(self, **arguments: Any) -> Any:
        await eventually(self.serves)
        return await ask(self.connection, subjects.render("default", "render"), arguments)

    async def serves(self) -> bool:
        """Tell whether the renderer answers requests yet."""
        try:
            await self.refresh()
        except NoResponders:
            return False
        except RequestRefused:
            # It has no source of this repository.
            return True
        return True

    async def follow(self) -> None:
        async for changes in KeyValue(JetStream(self.connection), RENDERINGS).watch():
            async with self.heard:
                for change in changes.changes:
                    assert change.value is not None
                    self.records[change.key] = RenderingRecord.unpack(change.value)
                    self.writes += 1
                self.heard.notify_all()

    async def until(self, key: str, condition: Callable[[RenderingRecord], bool]) -> RenderingRecord:
        async with asyncio.timeout(20), self.heard:
            await self.heard.wait_for(lambda: key in self.records and condition(self.records[key]))
        return self.records[key]

    async def manifests(self, record: RenderingRecord) -> list[dict[str, Any]]:
        data = delta.decompress(await self.objects.get(record.digest.hex()), max_bytes=1 << 24)
        found: list[dict[str, Any]] = msgpack.unpackb(data)
        return found

    async def refresh(self, url: str = "", timeout_s: float = 30) -> Any:
        asked = {"url": url or self.repository.url}
        return await ask(self.connection, subjects.render("default", "refresh"), asked, timeout_s=timeout_s)


@pytest.fixture
async def registry(hub: Any, tmp_path: Path) -> AsyncIterator[Registry]:
    repository = Repository.create(tmp_path / "repository", content.files())
    settings = Settings(
        credentials=tmp_path, state=tmp_path / "renderer", sealing_key=SEALING_KEY, poll_interval_s=3600
    )
    async with (
        hub.connect("registry") as connection,
        hub.connect("renderer") as renderer,
        RenderPool(RenderSettings(settings.state / "renders", workers=1)) as pool,
        GitStore(settings.state, policy=AddressPolicy()) as git,
        ChartStore(settings.state / "charts", pool.chart_versions) as charts,
    ):
        registry = Registry(connection, repository, Objects(renderer, BUNDLES))
        async with background(
            work(settings, hub.settings("renderer"), renderer, Checkouts(git, charts), pool),
            registry.follow(),
            name="work",
        ):
            yield registry
