"""The end of a cluster that people decide on: drained, or given up as lost. `hub.registry.cluster.drain`, and what is told of it.

A cluster that is *draining* takes nothing new. Every application on it gets its tombstone, signed as any, so that a cluster that
is away carries it out when it returns, after a year too. The applications themselves stay at the hub and wait for another
destination. Nothing waits for the cluster: it is removed once it is *drained*, or at any time as *lost*, which orphans what it
runs and says what that is.
"""

from dataclasses import replace
from typing import Any, Literal

from app_registry import arguments
from app_registry.generations import Generations
from app_registry.placements import DRAINING, KEEP, REMOVING
from outrider import codec
from outrider.bus import NotFound
from outrider.bus.buckets import KeyValue
from outrider.bus.jetstream import JetStream
from outrider.bus.services import RequestRefused
from outrider.codec import MalformedMessage
from outrider.names import AppName, ClusterName, token
from outrider.records import ClusterRecord, StatusRecord
from outrider.subjects import SETTINGS
from outrider.topology import STATUSES

State = Literal["active", "draining", "drained", "removing"]
LEFT_RESOURCES_MAX = 2000
# Named in one answer; beyond, they are counted.


class Draining:
    """Which clusters are on their way out, and what is left there."""

    def __init__(self, js: JetStream, generations: Generations) -> None:
        self._generations, self._statuses = generations, KeyValue(js, STATUSES)

    def annotated(self, record: ClusterRecord, request: dict[str, Any]) -> ClusterRecord:
        """Return a cluster's record as a request to drain it wants it: {keep?: objects stay, cancel?}. RequestRefused."""
        if REMOVING in record.annotations:
            raise RequestRefused(f"cluster {record.name!r} is being removed")
        annotations = {key: value for key, value in record.annotations.items() if key != DRAINING}
        if not arguments.flag(request, "cancel"):
            annotations[DRAINING] = KEEP if arguments.flag(request, "keep") else "true"
        return replace(record, annotations=annotations)

    def state(self, record: ClusterRecord) -> State:
        """Return how far a cluster is on its way out."""
        if REMOVING in record.annotations:
            return "removing"
        if DRAINING not in record.annotations:
            return "active"
        return "draining" if self.left(ClusterName(record.name)) else "drained"

    def left(self, cluster: ClusterName) -> list[AppName]:
        """Return the applications that have not ended on a cluster."""
        return [
            app
            for app in sorted(self._generations.of_cluster(cluster))
            if app != SETTINGS and not self._generations.is_done(cluster, app)
        ]

    async def left_behind(self, cluster: ClusterName) -> list[dict[str, Any]]:
        """Return what a cluster goes on running when it is given up: [{app, resources: last known, more?: how many}]."""
        found, room = [], LEFT_RESOURCES_MAX
        for app in self.left(cluster):
            resources = await self._resources(cluster, app)
            item: dict[str, Any] = {"app": app, "resources": resources[:room]}
            if len(resources) > room:
                item["more"] = len(resources) - room
            room = max(0, room - len(resources))
            found.append(item)
        return found

    async def _resources(self, cluster: ClusterName, app: AppName) -> list[str]:
        try:
            packed = (await self._statuses.get(f"{cluster}.{token(app)}")).value
            document = codec.unpack(StatusRecord.unpack(packed).document)
        except (NotFound, MalformedMessage):
            return []
        resources = document.get("resources") if isinstance(document, dict) else None
        return [_named(one) for one in resources or () if isinstance(one, dict)]


def _named(resource: dict[str, Any]) -> str:
    place = f"{resource['namespace']}/" if resource.get("namespace") else ""
    return f"{resource.get('kind')} {place}{resource.get('name')}"
