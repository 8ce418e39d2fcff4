"""The renderer as a whole: real Git on disk, real sandboxed workers, a real server; the test stands in for the registry."""

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
from outrider.records import RenderingRecord, SourceRecord, source_key
from outrider.rendering.git.address import AddressPolicy
from outrider.rendering.git.store import GitStore
from outrider.rendering.pool import RenderPool
from outrider.rendering.settings import RenderSettings
from outrider.tasks import background
from outrider.topology import BUNDLES, RENDERINGS, SOURCES
from outrider_playground.demo import content
from outrider_playground.demo.repository import Repository
from outrider_playground.waiting import eventually
from repo_renderer.service import work
from repo_renderer.settings import Settings


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

    async def refresh(self) -> Any:
        return await ask(self.connection, subjects.render("default", "refresh"), {"url": self.repository.url})


@pytest.fixture
async def registry(hub: Any, tmp_path: Path) -> AsyncIterator[Registry]:
    repository = Repository.create(tmp_path / "repository", content.files())
    settings = Settings(credentials=tmp_path, state=tmp_path / "renderer", poll_interval_s=3600)
    async with (
        hub.connect("registry") as connection,
        hub.connect("renderer") as renderer,
        GitStore(settings.state, policy=AddressPolicy()) as store,
        RenderPool(RenderSettings(settings.state / "renders", workers=1)) as pool,
    ):
        registry = Registry(connection, repository, Objects(renderer, BUNDLES))
        async with background(work(settings, renderer, store, pool), registry.follow(), name="work"):
            yield registry


async def test_a_source_is_rendered_once_and_again_only_when_what_it_reads_moves(registry: Registry) -> None:
    shop = await registry.want("shop")
    first = await registry.until(shop, lambda record: bool(record.digest))
    await eventually(lambda: serves_refresh(registry))
    assert {m["kind"] for m in await registry.manifests(first)} == {"Deployment", "Service", "ConfigMap"}
    registry.repository.commit({"README.md": "nothing that the shop reads"}, "Elsewhere")
    await registry.refresh()
    writes = registry.writes
    revision = registry.repository.replace("shop/deployment.yaml", ":1.0", ":1.1", "Shop 1.1")
    assert (await registry.refresh())["revisions"][registry.repository.url] == {"main": revision}
    second = await registry.until(shop, lambda record: record.revision == revision)
    assert registry.writes == writes + 1
    assert second.base == delta.short(first.digest)
    assert second.patch is not None
    assert len(second.patch) < 64
    assert "1.1" in str(await registry.manifests(second))


async def test_a_chart_asks_for_its_release_and_everything_else_does_not(registry: Registry) -> None:
    plain = await registry.want("signage")
    assert (await registry.until(plain, lambda record: True)).needs_release
    named = await registry.want("signage", {"app_name": "signage-7", "namespace": "lobby"})
    record = await registry.until(named, lambda record: bool(record.digest))
    (deployment,) = await registry.manifests(record)
    assert deployment["metadata"]["name"] == "signage-7"
    till = await registry.until(await registry.want("till"), lambda record: bool(record.digest))
    assert {m["metadata"]["name"] for m in await registry.manifests(till)} == {"demo-till"}


async def test_an_error_is_named_and_the_last_good_rendering_stays(registry: Registry) -> None:
    shop = await registry.want("shop")
    good = await registry.until(shop, lambda record: bool(record.digest))
    await eventually(lambda: serves_refresh(registry))
    bad = registry.repository.commit({"shop/menu.yaml": content.MENU + "  broken: [1\n"}, "A mistake")
    await registry.refresh()
    failed = await registry.until(shop, lambda record: bool(record.error))
    assert (failed.digest, failed.revision, failed.error_revision) == (good.digest, good.revision, bad)
    assert "shop/menu.yaml" in failed.error
    registry.repository.commit({"shop/menu.yaml": content.MENU}, "Mended")
    await registry.refresh()
    mended = await registry.until(shop, lambda record: not record.error)
    assert mended.digest == good.digest


async def test_a_path_or_a_revision_that_is_not_there_is_named(registry: Registry) -> None:
    path = await registry.until(await registry.want("shpo"), lambda record: bool(record.error))
    assert "shpo" in path.error
    revision = await registry.until(
        await registry.want("shop", targetRevision="mian"), lambda record: bool(record.error)
    )
    assert "main" in revision.error


async def test_one_broken_source_delays_no_other(registry: Registry) -> None:
    registry.repository.commit({"bad/x.yaml": "[" * 100_000}, "Hostile")
    bad, shop = await registry.want("bad"), await registry.want("shop")
    assert (await registry.until(shop, lambda record: bool(record.digest))).digest
    assert (await registry.until(bad, lambda record: bool(record.error))).error


async def test_a_repository_that_nobody_uses_is_refused_by_name(registry: Registry) -> None:
    await registry.until(await registry.want("shop"), lambda record: bool(record.digest))
    await eventually(lambda: serves_refresh(registry))
    with pytest.raises(RequestRefused, match="no application uses"):
        await ask(
            registry.connection, subjects.render("default", "refresh"), {"url": "https://example.com/x.git"}
        )


async def serves_refresh(registry: Registry) -> bool:
    try:
        await registry.refresh()
    except NoResponders:
        return False
    return True
