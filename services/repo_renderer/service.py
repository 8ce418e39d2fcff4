"""The renderer, wired."""

import asyncio
import random
from typing import Any

import structlog

from outrider.bus import Connection, connected
from outrider.bus.buckets import KeyValue
from outrider.bus.jetstream import JetStream
from outrider.bus.objects import Objects
from outrider.bus.services import Endpoint, RequestRefused
from outrider.bus.services import serve as serve_endpoints
from outrider.bus.topology import ensured
from outrider.identity import credentials
from outrider.rendering.charts import ChartStore
from outrider.rendering.checkouts import Checkouts
from outrider.rendering.git.address import AddressPolicy
from outrider.rendering.git.store import GitStore
from outrider.rendering.making import Maker
from outrider.rendering.pool import RenderPool
from outrider.rendering.prepare import Preparation
from outrider.rendering.settings import RenderSettings
from outrider.subjects import render
from outrider.topology import ARCHIVE, BUNDLES, HUB, RENDERINGS, REPOSITORIES, SOURCES
from outrider.version import VERSION
from repo_renderer import serve_bundles
from repo_renderer.bundles import Bundles
from repo_renderer.catalogue import Catalogue
from repo_renderer.on_request import OnRequest
from repo_renderer.records import Records
from repo_renderer.renderings import Renderings
from repo_renderer.repositories import Repositories
from repo_renderer.settings import Settings

log = structlog.get_logger()


def policy(settings: Settings) -> AddressPolicy:
    """Return which repository addresses may be used."""
    if settings.local_repositories:
        return AddressPolicy(hosts=settings.hosts)
    return AddressPolicy.locked_down(settings.hosts)


async def run(settings: Settings) -> None:
    """Wire the process. Ends only by cancellation or by the first loop that fails."""
    bus = credentials.bus_settings(settings.credentials, settings.servers)
    allowed = policy(settings)
    async with (
        RenderPool(RenderSettings(settings.state / "renders", workers=settings.workers)) as pool,
        GitStore(settings.state, policy=allowed) as git,
        ChartStore(settings.state / "charts", pool.chart_versions, policy=allowed) as charts,
        connected(bus) as connection,
    ):
        await work(settings, connection, Checkouts(git, charts), pool)


async def work(settings: Settings, connection: Connection, checkouts: Checkouts, pool: RenderPool) -> None:
    """Run the renderer's loops."""
    for layer, reason in pool.protection.missing.items():
        log.warning("a layer of the render sandbox is missing", layer=str(layer), reason=reason)
    js = JetStream(connection)
    await ensured(js, HUB.of("renderer"))
    catalogue = Catalogue(settings.pool, settings.sealing_key)
    bundles = Bundles(Objects(connection, BUNDLES))
    records, archive = Records(KeyValue(js, RENDERINGS)), KeyValue(js, ARCHIVE)
    renderings = Renderings(records, archive, bundles, Maker(checkouts, pool, catalogue.access))
    preparation = Preparation(checkouts, pool)
    repositories = Repositories(
        catalogue, renderings, preparation, checkouts, settings.poll_interval_s, random.SystemRandom()
    )
    on_request = OnRequest(catalogue, checkouts, preparation, renderings)
    endpoints = [
        Endpoint("refresh", render(settings.pool, "refresh"), _refresh(repositories, catalogue)),
        Endpoint("render", render(settings.pool, "render"), on_request.render),
    ]
    known = [asyncio.Event() for _ in range(3)]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(
            catalogue.follow_repositories(KeyValue(js, REPOSITORIES), known[0]), name="repositories"
        )
        tasks.create_task(records.follow(known[1]), name="renderings")
        for event in known[:2]:
            await event.wait()
        tasks.create_task(catalogue.follow_sources(KeyValue(js, SOURCES), known[2]), name="sources")
        tasks.create_task(repositories.run(), name="look at repositories")
        tasks.create_task(serve_bundles.serve(connection, bundles), name="serve bundles")
        tasks.create_task(serve_endpoints(connection, "repo-renderer", VERSION, endpoints), name="serve")
        log.info("renderer started", pool=settings.pool)


def _refresh(repositories: Repositories, catalogue: Catalogue) -> Any:
    async def refresh(arguments: dict[str, Any]) -> Any:
        """Look at a repository (without `url`: at all). {url?, key?: of a source that must be known} -> {revisions}."""
        url, key = arguments.get("url"), arguments.get("key")
        if key is not None and not catalogue.knows(str(key)):
            raise RequestRefused("nothing is known of that source yet")
        try:
            return {"revisions": await repositories.refresh(None if url is None else str(url))}
        except KeyError as error:
            raise RequestRefused(f"no application uses repository {url!r}") from error

    return refresh
