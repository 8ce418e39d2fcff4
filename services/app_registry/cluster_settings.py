"""What each cluster is told besides its applications: health and action scripts, ignored differences, time zone, its link's limits.

It travels as a record like any other, signed and numbered, under a name that no application can have. A cluster gets one as soon
as there is anything to say, and another when that changes; settings that are taken back are a record that says nothing. As
with applications, nothing is taken back because something is absent: without a stored record of settings, what was told stays.
"""

from typing import Any

import structlog

from app_registry import cluster_options
from app_registry.desired import NO_BUNDLE, Content
from app_registry.fleet import Fleet
from app_registry.generations import Generations
from app_registry.placements import REMOVING
from app_registry.publisher import Publisher
from outrider import codec
from outrider.generations import spec_digest
from outrider.names import ClusterName
from outrider.records import ClusterRecord, SettingsRecord
from outrider.subjects import SETTINGS

log = structlog.get_logger()

OWN = ("timeZone", "link")
# Keys of a settings record that differ by cluster.
SETTINGS_UID = bytes(16)


def wanted(settings: SettingsRecord, cluster: ClusterRecord) -> dict[str, Any]:
    """Return what a cluster is to be told; empty if there is nothing to say."""
    zone = cluster.annotations.get(cluster_options.TIME_ZONE) or settings.time_zone
    link = cluster_options.link(cluster.annotations)
    own = {"timeZone": zone, "link": link}
    return {**settings.customisations, **{key: value for key, value in own.items() if value}}


class ClusterSettings:
    """Publishes settings."""

    def __init__(self, fleet: Fleet, generations: Generations, publisher: Publisher) -> None:
        self._fleet, self._generations, self._publisher = fleet, generations, publisher
        self._digests: dict[bytes, bytes] = {}
        # by what is a cluster's own, of the settings at this moment: a fleet has few kinds of clusters, and many of each
        self._digested: SettingsRecord | None = None

    async def bring(self, name: ClusterName) -> None:
        """Bring one cluster's settings in line. BusError: try again."""
        cluster = self._fleet.placements.clusters.get(name)
        if self._fleet.settings is None or cluster is None or REMOVING in cluster.annotations:
            return
        spec = wanted(self._fleet.settings, cluster)
        if self._is_told(name, spec, self._fleet.settings):
            return
        await self._publisher.publish(name, SETTINGS, Content(SETTINGS_UID, spec, digest=NO_BUNDLE))
        log.info("settings published", cluster=name)

    def _is_told(self, name: ClusterName, spec: dict[str, Any], settings: SettingsRecord) -> bool:
        published = self._generations.get(name, SETTINGS)
        if published is None:
            return not spec
        if self._generations.is_outdated(name, SETTINGS) or self._generations.is_forged(name, SETTINGS):
            return False
        last = published.last
        told = (last.uid, last.digest, last.spec_digest)
        return told == (SETTINGS_UID, NO_BUNDLE, self._digest(spec, settings))

    def _digest(self, spec: dict[str, Any], settings: SettingsRecord) -> bytes:
        if self._digested is not settings:
            self._digested = settings
            self._digests.clear()
        own = codec.pack([spec.get(key) for key in OWN])
        if own not in self._digests:
            self._digests[own] = spec_digest(spec)
        return self._digests[own]
