"""The renderer, wired."""

import asyncio

import structlog

from outrider.bus import Connection, connected
from outrider.bus.jetstream import JetStream
from outrider.bus.objects import Objects
from outrider.bus.services import Endpoint
from outrider.bus.services import serve as serve_endpoints
from outrider.bus.topology import ensured
from outrider.identity import credentials
from outrider.rendering.charts import ChartStore
from outrider.rendering.checkouts import Checkouts
from outrider.rendering.git.address import AddressPolicy
from outrider.rendering.git.store import GitStore
from outrider.rendering.pool import RenderPool
from outrider.rendering.settings import RenderSettings
from outrider.subjects import render
from outrider.topology import BUNDLES, HUB
from outrider.version import VERSION
from repo_renderer import serve_bundles
from repo_renderer.bundles import Bundles
from repo_renderer.rendering import Rendering
from repo_renderer.settings import Settings
from repo_renderer.store import Store

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
        # Replicas share a name: none must hear another one's answers.
        connected(bus, alone=True) as connection,
    ):
        await work(settings, connection, Checkouts(git, charts), pool)


async def work(settings: Settings, connection: Connection, checkouts: Checkouts, pool: RenderPool) -> None:
    """Run the renderer's loops."""
    for layer, reason in pool.protection.missing.items():
        log.warning("a layer of the render sandbox is missing", layer=str(layer), reason=reason)
    await ensured(JetStream(connection), HUB.of("renderer"))
    bundles = Bundles(Objects(connection, BUNDLES))
    rendering = Rendering(settings, Store.of_hub(connection), bundles, checkouts, pool)
    endpoints = [
        Endpoint("refresh", render(settings.pool, "refresh"), rendering.refresh),
        Endpoint("render", render(settings.pool, "render"), rendering.render),
    ]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(rendering.run(), name="render")
        tasks.create_task(serve_bundles.serve(connection, bundles), name="serve bundles")
        tasks.create_task(serve_endpoints(connection, "repo-renderer", VERSION, endpoints), name="serve")
