"""A bus that does not take what was rendered, and another renderer of the pool that was faster."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.integration.repo_renderer.conftest import Registry

from outrider.bus import RequestTimedOut, WrongRevision
from outrider.bus.buckets import KeyValue
from outrider.bus.jetstream import JetStream
from outrider.bus.topology import ensure
from outrider.records import RenderingRecord
from outrider.tasks import background
from outrider.topology import HUB, RENDERINGS, Bucket
from outrider_playground.waiting import eventually
from repo_renderer.records import Records


@asynccontextmanager
async def full(js: JetStream, bucket: Bucket) -> AsyncIterator[None]:
    """Have a bucket refuse every write."""
    config = (await js.api(f"STREAM.INFO.{bucket.stream}"))["config"]
    await js.api(f"STREAM.UPDATE.{bucket.stream}", {**config, "max_bytes": 1})
    yield
    await ensure(js, HUB.of("registry"))


async def test_what_the_bus_refuses_is_written_once_it_takes_it(registry: Registry) -> None:
    shop, till = await registry.want("shop"), await registry.want("till")
    for key in (shop, till):
        await registry.until(key, lambda record: bool(record.digest))
    await eventually(registry.serves)
    js = JetStream(registry.connection)
    async with full(js, RENDERINGS):
        image = registry.repository.replace("shop/deployment.yaml", ":1.0", ":1.1", "Shop 1.1")
        label = registry.repository.replace(
            "till/kustomization.yaml", 'newTag: "1.0"', 'newTag: "1.1"', "Till"
        )
        # Who asks is not told that it is done.
        with pytest.raises(RequestTimedOut):
            await registry.refresh(timeout_s=2)
        assert registry.records[shop].revision not in (image, label)
    await registry.until(till, lambda record: record.revision == label)
    record = await registry.until(shop, lambda record: record.revision in (image, label))
    assert "shop:1.1" in str(await registry.manifests(record))


async def test_a_renderer_that_looked_before_a_commit_does_not_write_over_one_that_looked_after(
    hub: Any,
) -> None:
    async with hub.connect("renderer") as first, hub.connect("renderer") as second:
        slow, fast = (Records(KeyValue(JetStream(one), RENDERINGS)) for one in (first, second))
        read = asyncio.Event()
        async with background(slow.follow(read), name="follow"):
            await read.wait()
            before = slow.revision("shop")
            await fast.put("shop", RenderingRecord("after"), fast.revision("shop"))
            with pytest.raises(WrongRevision):
                await slow.put("shop", RenderingRecord("before"), before)
            await eventually(lambda: slow.get("shop").revision == "after")
            await slow.put("shop", RenderingRecord("later"), slow.revision("shop"))
        assert slow.get("shop").revision == "later"
