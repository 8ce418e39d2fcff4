"""Bundles go up once, compressed, and go on where they were after a link was lost."""

import base64
import random
from typing import Any

from tests.integration.pools.conftest import CONFIG, Site
from tests.integration.rendering.repositories import Repository

from outrider import codec, delta
from outrider.bus import Connection
from outrider.pool_messages import CHUNK_MAX_BYTES
from outrider_playground.waiting import eventually
from outrider_playground.wan import WanLink

LOCAL: dict[str, Any] = {"local_repositories": True}


def sent(connection: Connection) -> int:
    return int(connection.client.stats["out_bytes"])


def incompressible(size_bytes: int) -> str:
    return base64.b64encode(random.Random(7).randbytes(size_bytes)).decode()


async def test_a_bundle_goes_up_once_however_many_sources_render_to_it(
    site: Site, repository: Repository
) -> None:
    berlin = await site.add_pool("berlin")
    text = incompressible(200_000)
    repository.commit({"one/a.yaml": CONFIG % ("a", text), "two/a.yaml": CONFIG % ("a", text)})
    async with site.rendering(berlin, **LOCAL) as connection:
        first = await site.rendered(await site.want(repository.url, "one", berlin))
        after = sent(connection)
        # base64 compresses to three quarters.
        assert 150_000 < after < 250_000
        second = await site.rendered(await site.want(repository.url, "two", berlin))
        assert second.digest == first.digest
        assert sent(connection) - after < 4_000


async def test_a_renderer_that_lost_its_folder_sends_nothing_that_the_hub_has(
    site: Site, repository: Repository
) -> None:
    berlin = await site.add_pool("berlin")
    repository.commit({"one/a.yaml": CONFIG % ("a", incompressible(200_000))})
    async with site.rendering(berlin, **LOCAL):
        await site.rendered(await site.want(repository.url, "one", berlin))
    moved = repository.commit({"one/a.yaml": CONFIG % ("a", incompressible(200_000)), "other": "x"})
    async with site.rendering(berlin, "another", **LOCAL) as connection:
        await site.rendered(await site.want(repository.url, "one", berlin))
        answer = await site.ask(berlin, "refresh", url=repository.url)
        assert answer["revisions"][repository.url] == {"main": moved}
        assert sent(connection) < 8_000


async def test_a_large_bundle_goes_on_where_it_was_when_the_link_is_back(
    site: Site, repository: Repository
) -> None:
    berlin = await site.add_pool("berlin")
    size = 12 * CHUNK_MAX_BYTES
    repository.commit({"one/a.yaml": CONFIG % ("a", incompressible(size))})
    async with WanLink("127.0.0.1", site.hub.server.port) as link:
        link.throttle(1_000_000)
        async with site.rendering(berlin, url=f"tls://localhost:{link.port}", **LOCAL):
            wanted = await site.want(repository.url, "one", berlin)
            for share in (0.3, 0.6):
                await eventually(lambda s=share: link.counters().up.payload_bytes > s * size, 30)  # type: ignore[misc]
                await link.cut()
                await link.restore()
            record = await site.rendered(wanted)
        # A part that was on its way when the link was cut is sent again, and no more than that.
        assert link.counters().up.payload_bytes < size + 6 * CHUNK_MAX_BYTES
    (manifest,) = await site.manifests(record)
    assert len(manifest["data"]["text"]) == len(incompressible(size))


async def test_what_is_rendered_while_the_hub_is_away_arrives_when_it_is_back(
    site: Site, repository: Repository
) -> None:
    berlin = await site.add_pool("berlin")
    repository.commit({"shop/a.yaml": CONFIG % ("a", "1")})
    async with WanLink("127.0.0.1", site.hub.server.port) as link:
        settings = {"poll_interval_s": 0.2, **LOCAL}
        async with site.rendering(berlin, url=f"tls://localhost:{link.port}", **settings):
            shop = await site.want(repository.url, "shop", berlin)
            await site.rendered(shop)
            await link.cut()
            moved = repository.commit({"shop/a.yaml": CONFIG % ("a", "2")})
            await link.restore()
            await site.until(shop, lambda record: record.revision == moved)


async def test_a_stored_bundle_is_named_by_the_digest_of_what_it_holds(
    site: Site, repository: Repository
) -> None:
    berlin = await site.add_pool("berlin")
    async with site.rendering(berlin, **LOCAL):
        record = await site.rendered(await site.want(repository.url, "shop", berlin))
    data = codec.canonical(await site.manifests(record))
    assert delta.digest(data) == record.digest


async def test_wherever_a_renderer_is_killed_its_successor_ends_with_the_newest_commit(
    site: Site, repository: Repository
) -> None:
    berlin, rng = await site.add_pool("berlin"), random.Random(11)
    wanted = await site.want(repository.url, "one", berlin)
    for number in range(8):
        text = incompressible(60_000 + number)
        newest = repository.commit({"one/a.yaml": CONFIG % ("a", text)})
        async with WanLink("127.0.0.1", site.hub.server.port) as link:
            link.throttle(400_000)
            async with site.rendering(berlin, url=f"tls://localhost:{link.port}", **LOCAL):
                before, enough = link.counters().up.payload_bytes, rng.randrange(1_000, 90_000)

                def is_far_enough(before: int = before, enough: int = enough, newest: str = newest) -> bool:
                    done = wanted in site.records and site.records[wanted].revision == newest
                    return done or link.counters().up.payload_bytes - before > enough

                await eventually(is_far_enough, 30)
                # It says nothing any more.
                await link.cut()
    async with site.rendering(berlin, **LOCAL):
        record = await site.until(wanted, lambda record: record.revision == newest)
    (manifest,) = await site.manifests(record)
    assert manifest["data"]["text"] == text
    assert not record.error
