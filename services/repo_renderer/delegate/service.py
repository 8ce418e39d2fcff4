"""A pool's renderer, wired."""

import asyncio
import os

import structlog

from outrider.bus import Connection
from outrider.names import PoolName
from outrider.pool_messages import RENDERINGS, REPOSITORIES, RUN_BYTES, SOURCES
from outrider.rendering.checkouts import Checkouts
from outrider.rendering.pool import RenderPool
from outrider.tasks import background
from repo_renderer.delegate.bundles import Archive, Bundles, Frames
from repo_renderer.delegate.gateway import Gateway
from repo_renderer.delegate.tables import Renderings, Table, Told
from repo_renderer.delegate.turn import Turn
from repo_renderer.rendering import Rendering
from repo_renderer.settings import Settings
from repo_renderer.store import Store

log = structlog.get_logger()


async def work(settings: Settings, connection: Connection, checkouts: Checkouts, pool: RenderPool) -> None:
    """Render whenever it is this renderer's turn, until cancelled."""
    gateway = Gateway(connection, PoolName(settings.pool), os.urandom(RUN_BYTES))
    told = Told()
    turn = Turn(gateway, settings.replica, told)
    log.info("renderer of a pool started", pool=settings.pool, name=settings.replica)
    async with turn.leaving(), asyncio.TaskGroup() as tasks:
        tasks.create_task(turn.run(), name="turn")
        while True:
            await turn.begun.wait()
            frames = Frames(gateway)
            store = Store(
                Table(gateway, SOURCES, told),
                Table(gateway, REPOSITORIES, told),
                Renderings(gateway, RENDERINGS, told),
                Archive(gateway),
                frames,
            )
            rendering = Rendering(settings, store, Bundles(frames), checkouts, pool)
            async with background(rendering.run(), turn.answer(rendering), name="render"):
                await turn.ended.wait()
