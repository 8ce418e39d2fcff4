"""The loops that every renderer runs: know what is wanted, look at its repositories, render what moved, answer who asks."""

import asyncio
import random
from typing import Any

import structlog

from outrider.bus.services import RequestRefused
from outrider.rendering.checkouts import Checkouts
from outrider.rendering.making import Maker
from outrider.rendering.pool import RenderPool
from outrider.rendering.prepare import Preparation
from repo_renderer.bundles import Bundles
from repo_renderer.catalogue import Catalogue
from repo_renderer.on_request import OnRequest
from repo_renderer.records import Records
from repo_renderer.renderings import Renderings
from repo_renderer.repositories import Repositories
from repo_renderer.settings import Settings
from repo_renderer.store import Store

log = structlog.get_logger()


class Rendering:
    """One renderer of one pool."""

    def __init__(
        self, settings: Settings, store: Store, bundles: Bundles, checkouts: Checkouts, pool: RenderPool
    ) -> None:
        self._settings, self._store = settings, store
        self._known = asyncio.Event()
        # Whether all that is wanted has been read.
        # Whoever runs a pool's renderer may name the only hosts that it goes to: then those count.
        vouches = settings.is_delegated and not settings.hosts
        self._catalogue = catalogue = Catalogue(settings.pool, settings.sealing_key, vouches)
        self._records = Records(store.renderings)
        renderings = Renderings(
            self._records, store.archive, bundles, Maker(checkouts, pool, catalogue.access)
        )
        preparation = Preparation(checkouts, pool)
        self._repositories = Repositories(
            catalogue, renderings, preparation, checkouts, settings.poll_interval_s, random.SystemRandom()
        )
        self.render = OnRequest(catalogue, checkouts, preparation, renderings).render

    async def run(self) -> None:
        """Work until cancelled."""
        known = [asyncio.Event() for _ in range(2)]
        catalogue, store = self._catalogue, self._store
        async with asyncio.TaskGroup() as tasks:
            following = catalogue.follow_repositories(store.repositories, known[0])
            tasks.create_task(following, name="repositories")
            tasks.create_task(self._records.follow(known[1]), name="renderings")
            for event in known:
                await event.wait()
            tasks.create_task(catalogue.follow_sources(store.sources, self._known), name="sources")
            tasks.create_task(self._repositories.run(), name="look at repositories")
            log.info("renderer started", pool=self._settings.pool)

    async def refresh(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Look at a repository (without `url`: at all). {url?, key?: of a source that must be known} -> {revisions}."""
        await self._known.wait()
        url, key = arguments.get("url"), arguments.get("key")
        if key is not None and not self._catalogue.knows(str(key)):
            raise RequestRefused("nothing is known of that source yet")
        try:
            return {"revisions": await self._repositories.refresh(None if url is None else str(url))}
        except KeyError as error:
            raise RequestRefused(f"no application uses repository {url!r}") from error
