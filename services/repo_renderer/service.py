"""The renderer, wired."""

import asyncio

import structlog

from outrider.bus import BusSettings, Connection, connected
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
from repo_renderer.delegate import service as delegate
from repo_renderer.folder import held
from repo_renderer.gateway import service as gateway
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
    with held(settings.state):
        await _run(settings, bus, allowed)


async def _run(settings: Settings, bus: BusSettings, allowed: AddressPolicy) -> None:
    async with (
        RenderPool(RenderSettings(settings.state / "renders", workers=settings.workers)) as pool,
        GitStore(settings.state, policy=allowed) as git,
        ChartStore(settings.state / "charts", pool.chart_versions, policy=allowed) as charts,
        # Replicas share a name: none must hear another one's answers.
        connected(bus, alone=True, wait=not settings.is_delegated) as connection,
    ):
        for layer, reason in pool.protection.missing.items():
            log.warning("a layer of the render sandbox is missing", layer=str(layer), reason=reason)
        checkouts = Checkouts(git, charts)
        if settings.is_delegated:
            await delegate.work(settings, connection, checkouts, pool)
        else:
            await work(settings, bus, connection, checkouts, pool)


async def work(
    settings: Settings, bus: BusSettings, connection: Connection, checkouts: Checkouts, pool: RenderPool
) -> None:
    """Run the loops of one of the hub's own renderers: it serves the repositories that name no pool, bundles, and the pools."""
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
        tasks.create_task(gateway.serve(settings, bus, connection, bundles), name="gateway")
        tasks.create_task(serve_endpoints(connection, "repo-renderer", VERSION, endpoints), name="serve")
