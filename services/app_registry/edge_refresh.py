"""`hub.registry.repo.refresh`: have the edges that pull a repository themselves look at it now, not at their next poll.

A webhook knows that a repository moved; so does whoever asks. Edges that are offline miss it, and poll. Edges that are many are
asked to take their time, each its own, so that they don't meet at the Git server.
"""

import asyncio
from typing import Any

import structlog

from app_registry import arguments
from app_registry.commands import Commands
from app_registry.fleet import Fleet
from app_registry.origins import same_repository
from outrider.bus.services import Endpoint
from outrider.names import ClusterName
from outrider.subjects import registry

log = structlog.get_logger()

EDGES_PER_S = 50
# As many as fetch at a time from one Git server, on average.
SPREAD_MAX_S = 30.0
# Half of the time that an edge polls after anyway.
TOLD_AT_ONCE = 500
# Commands handed to the connection before others get their turn.


class EdgeRefresh:
    """Serves the request."""

    def __init__(self, fleet: Fleet, commands: Commands) -> None:
        self._fleet, self._commands = fleet, commands

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        return [Endpoint("repo-refresh", registry("repo.refresh"), self.refresh)]

    async def refresh(self, request: dict[str, Any]) -> dict[str, Any]:
        """Tell the edges that render from a repository (without `url`: any) to look at it. {url?} -> {clusters, pools}.

        `clusters`: how many were told. `pools`: whose renderers are to be asked besides.
        """
        url = arguments.optional(request, "url", str) or ""
        wanted = self._wanted(url)
        within_s = min(SPREAD_MAX_S, (len(wanted) - 1) / EDGES_PER_S)
        for number, (cluster, urls) in enumerate(sorted(wanted.items())):
            await self._commands.tell(cluster, "fetch", {"urls": sorted(urls), "within_s": within_s})
            if number % TOLD_AT_ONCE == 0:
                await asyncio.sleep(0)
        log.info("edges told to fetch", repository=url, clusters=len(wanted))
        return {"clusters": len(wanted), "pools": self._pools(url)}

    def _pools(self, url: str) -> list[str]:
        names = self._fleet.origins.applications(url) if url else self._fleet.applications.keys()
        return sorted({record.pool for name in names if (record := self._fleet.source_of(name)) is not None})

    def _wanted(self, url: str) -> dict[ClusterName, set[str]]:
        """Return, by cluster, the repositories to look at, by the URLs that it knows them by."""
        origins = self._fleet.origins
        names = origins.applications(url) if url else self._fleet.applications.keys()
        wanted: dict[ClusterName, set[str]] = {}
        for name in names:
            app, cluster = self._fleet.applications.get(name), self._fleet.placements.of(name)
            if app is None or app.deleting or cluster is None or not self._fleet.renders_at_edge(app):
                continue
            known = {origins.origin(one).repo_url for one in app.source.urls if not url or _same(one, url)}
            wanted.setdefault(cluster, set()).update(known)
        return wanted


def _same(one: str, other: str) -> bool:
    return same_repository(one) == same_repository(other)
