"""What is desired of an application, read from its bundle at the hub: no edge spends a byte on it."""

from typing import Any

import structlog

from app_registry.app import App
from app_registry.desired import unpacked_revision
from app_registry.desired_objects import desired_objects
from app_registry.fleet import Fleet
from app_registry.generations import Generations
from app_registry.hub_bundles import HubBundles
from app_registry.reported import Reported
from app_registry.scopes import scope_of
from outrider.bus import BusError, NotFound
from outrider.bus.services import RequestRefused
from outrider.manifests.names import Key, Object
from outrider.names import ClusterName

log = structlog.get_logger()


class DesiredAtHub:
    """Reads desired objects; Secrets are masked."""

    def __init__(self, fleet: Fleet, generations: Generations, bundles: HubBundles) -> None:
        self._fleet, self._generations, self._bundles = fleet, generations, bundles

    def is_here(self, app: App) -> bool:
        """Whether the hub renders an application, and so has its bundle."""
        return not self._fleet.renders_at_edge(app)

    def about(self, app: App, cluster: ClusterName) -> dict[str, Any]:
        """Return revision and digest of what is desired; RequestRefused if nothing is."""
        digest, revision = self._last(app, cluster)
        return {"revision": revision, "digest": digest.hex()}

    async def objects(self, app: App, cluster: ClusterName, known: Reported) -> dict[Key, Object]:
        """Return an application's desired objects as its cluster applies them. RequestRefused, BusError.

        `known`: what its cluster reports says of which kinds have a namespace there.
        """
        digest, _ = self._last(app, cluster)
        try:
            manifests = await self._bundles.manifests(digest)
        except NotFound as error:
            raise RequestRefused(f"the bundle of application {app.name!r} is not at the hub") from error
        return desired_objects(app.name, manifests, app.destination.namespace, scope_of(known.resources))

    async def objects_or_none(self, app: App, cluster: ClusterName, known: Reported) -> dict[Key, Object]:
        """Return them for where they are but a part of the answer: none, if they can't be had."""
        if not self.is_here(app):
            return {}
        try:
            return await self.objects(app, cluster, known)
        except (RequestRefused, BusError) as error:
            log.info("desired objects not shown", app=app.name, reason=str(error))
            return {}

    def _last(self, app: App, cluster: ClusterName) -> tuple[bytes, str]:
        published = self._generations.get(cluster, app.name)
        if published is None or not published.last.digest:
            raise RequestRefused(
                f"nothing is desired of application {app.name!r}: it has no rendering, or is being removed"
            )
        return published.last.digest, unpacked_revision(published.last.revision)
