"""The view kept up: one loop for each bucket, and one for stream DESIRED. Each starts with everything there is."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from functools import partial
from sys import intern

import structlog

from outrider import subjects
from outrider.bus.buckets import Change, KeyValue
from outrider.bus.follow import follow
from outrider.bus.jetstream import JetStream
from outrider.codec import MalformedMessage
from outrider.identity.signatures import SIGNATURE_BYTES
from outrider.messages import Desired
from outrider.names import ClusterName, from_token
from outrider.records import ApplicationRecord, ClusterRecord, ConditionsRecord
from outrider.topology import APPLICATIONS, CLUSTERS, CONDITIONS, DESIRED, STATUSES, Bucket
from status_aggregator.hub_clock import Moment
from status_aggregator.rejections import Rejections
from status_aggregator.rows import Application, Wanted
from status_aggregator.showing import Showing
from status_aggregator.view import View

log = structlog.get_logger()

OnCluster = Callable[[ClusterName, ClusterRecord | None], None]


class Watching:
    """The loops. `ready` is set once everything that the hub held at the start has been read."""

    def __init__(
        self,
        js: JetStream,
        view: View,
        rejections: Rejections,
        *,
        on_cluster: OnCluster,
        now: Callable[[], Moment],
    ) -> None:
        self._js, self._view, self._rejections = js, view, rejections
        self._on_cluster = on_cluster
        self.showing = Showing(js, view, rejections, now, partial(self._is_caught_up, STATUSES.name))
        self._caught_up: set[str] = set()
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Watch until cancelled."""
        buckets = {
            CLUSTERS: self._cluster,
            APPLICATIONS: self._application,
            CONDITIONS: self._conditions,
        }
        async with asyncio.TaskGroup() as tasks:
            for bucket, take in buckets.items():
                tasks.create_task(self._watch(bucket, take), name=f"watch {bucket.name}")
            tasks.create_task(self._desired(), name="watch desired")
            tasks.create_task(self.showing.run(), name="watch status")

    async def _watch(self, bucket: Bucket, take: Callable[[str, bytes | None], None]) -> None:
        watching = KeyValue(self._js, bucket).watch()
        async with aclosing(watching):  # type: ignore[type-var]
            async for changes in watching:
                for number, change in enumerate(changes.changes):
                    self._taken(bucket.name, change, take)
                    if number % 64 == 63:
                        await asyncio.sleep(0)
                if changes.caught_up:
                    self._is_caught_up(bucket.name)

    def _taken(self, name: str, change: Change, take: Callable[[str, bytes | None], None]) -> None:
        try:
            take(change.key, change.value)
        except MalformedMessage as error:
            # One record that can't be read must not hide the others.
            self._rejections.add(f"record in {name}", reason=f"{change.key}: {error}")

    def _is_caught_up(self, name: str) -> None:
        if name in self._caught_up:
            return
        self._caught_up.add(name)
        if len(self._caught_up) == len((CLUSTERS, APPLICATIONS, CONDITIONS, STATUSES, DESIRED)):
            log.info(
                "view is complete", applications=len(self._view.names), clusters=len(self._view.cluster_names)
            )
            self.ready.set()

    def _cluster(self, key: str, value: bytes | None) -> None:
        name = ClusterName(key)
        record = ClusterRecord.unpack(value) if value is not None else None
        self._view.put_cluster(name, record)
        self._on_cluster(name, record)

    def _application(self, key: str, value: bytes | None) -> None:
        record = ApplicationRecord.unpack(value) if value is not None else None
        self._view.put_application(intern(from_token(key)), Application.of(record) if record else None)

    def _conditions(self, key: str, value: bytes | None) -> None:
        record = ConditionsRecord.unpack(value) if value is not None else ConditionsRecord([])
        conditions = tuple(
            (str(one.get("type", "")), str(one.get("message", "")))
            for one in record.conditions
            if isinstance(one, dict)
        )
        self._view.put_conditions(intern(from_token(key)), conditions, intern(record.cluster))

    async def _desired(self) -> None:
        following = follow(self._js, DESIRED.name, last_per_subject=True)
        async with aclosing(following):  # type: ignore[type-var]
            async for batch in following:
                for stored in batch.messages:
                    cluster, app = subjects.app_of_desired(stored.subject)
                    if app == subjects.SETTINGS:
                        continue
                    try:
                        wanted = Wanted.of(Desired.unpack(stored.data[SIGNATURE_BYTES:]))
                    except MalformedMessage as error:
                        self._rejections.add("desired record", cluster=cluster, reason=str(error))
                    else:
                        self._view.put_wanted(cluster, intern(app), wanted)
                if batch.caught_up:
                    self._is_caught_up(DESIRED.name)
