"""Which kinds hold objects of an application that the agent knows nothing of any more.

The agent remembers which kinds an application uses. Where that was lost (a replica rebuilt from nothing),
objects of kinds that left the desired set meanwhile would stay for ever. So the first application without a
memory has every kind listed once, metadata only, by label; the answer serves all applications of the process.
Kinds that can't be listed are left out.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from edge_agent.cluster import Cluster, ClusterError, Expired, Kind, Transient
from edge_agent.sync import LABEL
from outrider.manifests.tracking import label_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_log = structlog.get_logger()


class Leftovers:
    """Looks once, when first asked."""

    def __init__(self, cluster: Cluster, found: Callable[[str, frozenset[Kind]], None]) -> None:
        """`found` is told an application that was looked for, and the kinds of its objects."""
        self._cluster = cluster
        self._found = found
        self._sought: asyncio.Queue[str] = asyncio.Queue()
        self._kinds: Mapping[str, frozenset[Kind]] | None = None

    def look(self, app: str) -> None:
        """Have an application's leftovers looked for."""
        self._sought.put_nowait(app)

    async def run(self, delay_s: Callable[[int], float]) -> None:
        """Look, for ever; `delay_s` gives the wait after a number of failures."""
        while True:
            app = await self._sought.get()
            failures = 0
            while self._kinds is None:
                try:
                    self._kinds = await self._list()
                except Transient as error:
                    failures += 1
                    _log.warning("leftovers not listed", reason=str(error), attempt=failures)
                    await asyncio.sleep(delay_s(failures))
            self._found(app, self._kinds.get(label_value(app), frozenset()))

    async def _list(self) -> Mapping[str, frozenset[Kind]]:
        found: dict[str, set[Kind]] = {}
        for resource in await self._cluster.discovery.everything():
            try:
                async for page in self._cluster.pages(resource, LABEL, metadata_only=True):
                    for live in page.objects:
                        label = (live["metadata"].get("labels") or {}).get(LABEL, "")
                        found.setdefault(label, set()).add(resource.kind)
            except Expired:
                continue
            except Transient:
                raise
            except ClusterError as error:
                _log.info("kind not listed", kind=str(resource.kind), reason=str(error))
        return {label: frozenset(kinds) for label, kinds in found.items()}
