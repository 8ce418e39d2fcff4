"""Requests about clusters: `hub.registry.cluster.*`.

A cluster's name is bound to the key that it was added with. Removing one, in this order, each step idempotent: nothing is
destined there any more; its key is revoked, which disconnects it at once; its Desired records are dropped; its record goes.
A removal that was interrupted is repeated by asking again. What the edge runs stays: it has nobody left who may change it.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any

import structlog

from app_registry import arguments, cluster_options
from app_registry.draining import Draining
from app_registry.fleet import Fleet
from app_registry.identities import Identities
from app_registry.last_answers import LastAnswers
from app_registry.placements import DRAINING, EPOCH, REMOVING, stored_epoch
from app_registry.publisher import Publisher
from app_registry.settings_requests import SettingsRequests
from outrider.bus import WrongRevision
from outrider.bus.buckets import KeyValue
from outrider.bus.entries import current
from outrider.bus.jetstream import JetStream
from outrider.bus.services import Endpoint, RequestRefused
from outrider.names import AppName, ClusterName
from outrider.records import ClusterRecord
from outrider.subjects import SETTINGS, registry
from outrider.topology import CLUSTERS

log = structlog.get_logger()

ATTEMPTS = 3


class Clusters:
    """Serves requests about clusters."""

    def __init__(
        self,
        js: JetStream,
        fleet: Fleet,
        identities: Identities,
        publisher: Publisher,
        settings: SettingsRequests,
        draining: Draining,
        answers: LastAnswers,
        touch: Callable[[AppName], None],
        clock: Callable[[], datetime],
    ) -> None:
        """`touch` has an application looked at again."""
        self._js, self._fleet, self._identities, self._settings = js, fleet, identities, settings
        self._publisher, self._touch, self._clock = publisher, touch, clock
        self._draining, self._answers = draining, answers
        self._bucket = KeyValue(js, CLUSTERS)

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        return [
            Endpoint("cluster-add", registry("cluster.add"), self.add),
            Endpoint("cluster-update", registry("cluster.update"), self.update),
            Endpoint("cluster-list", registry("cluster.list"), self.list),
            Endpoint("cluster-get", registry("cluster.get"), self.get),
            Endpoint("cluster-drain", registry("cluster.drain"), self.drain),
            Endpoint("cluster-remove", registry("cluster.remove"), self.remove),
        ]

    async def add(self, request: dict[str, Any]) -> dict[str, Any]:
        """Register a cluster and issue its identity. {name, public_key, labels?, server?, options?, replace?} -> what an edge needs."""
        name, key = arguments.cluster(request), arguments.public_key(request)
        if await self._identities.is_revoked(key):
            raise RequestRefused(
                f"cluster {name!r}: this key was revoked; add it with a fresh one (remove the old credentials file first)"
            )
        stored, revision = await self._stored(name)
        if stored is not None and stored.public_key != key:
            if not arguments.flag(request, "replace"):
                raise RequestRefused(
                    f"cluster {name!r} is registered with another key; "
                    "to replace its identity, which disconnects whoever uses the old one, ask with replace"
                )
            await self._identities.revoke(name, stored.public_key)
        await self._changed(self._record(name, key, stored, request), stored, revision)
        return {"name": name, **self._identities.issue(name, key).answer()}

    async def update(self, request: dict[str, Any]) -> dict[str, Any]:
        """Change what is known of a cluster. {name, labels?, server?, options?} -> the cluster. Labels replace those before.

        Options: `cluster_options`.
        """
        name = arguments.cluster(request)
        stored, revision = await self._stored(name)
        if stored is None:
            raise RequestRefused(f"there is no cluster {name!r}; add it with `outrider cluster add {name}`")
        if REMOVING in stored.annotations:
            raise RequestRefused(f"cluster {name!r} is being removed")
        record = self._record(name, stored.public_key, stored, request)
        await self._changed(record, stored, revision)
        return self._item(record)

    async def _changed(self, record: ClusterRecord, stored: ClusterRecord | None, revision: int) -> None:
        if cluster_options.has_any(record.annotations):
            await self._settings.ensure()
        if record != stored:
            await self._store(record, revision)

    def _record(
        self, name: ClusterName, key: str, stored: ClusterRecord | None, request: dict[str, Any]
    ) -> ClusterRecord:
        now_s = int(self._clock().timestamp())
        kept = stored or ClusterRecord(name, key, now_s * 1000)
        server = arguments.text(request, "server", kept.server or " ").strip().rstrip("/")
        other = self._fleet.placements.with_server(server) if server else None
        if other not in (None, name):
            raise RequestRefused(f"server {server} is registered for cluster {other!r} already")
        labels = arguments.labels(request) if "labels" in request else kept.labels
        annotations = cluster_options.annotated(
            {key: value for key, value in kept.annotations.items() if key != REMOVING}, request
        )
        issued_at_s = kept.issued_at_s if kept.public_key == key and kept.issued_at_s else now_s
        return replace(
            kept,
            public_key=key,
            labels=labels,
            server=server,
            issued_at_s=issued_at_s,
            annotations=annotations,
        )

    async def list(self, request: dict[str, Any]) -> dict[str, Any]:
        """List clusters by name. {after?, limit?, labels?} -> {items, next}; all labels must be equal."""
        after, limit = arguments.page(request)
        wanted = arguments.labels(request).items()
        clusters = self._fleet.placements.clusters
        names = (
            name for name in sorted(clusters) if name > after and wanted <= clusters[name].labels.items()
        )
        items = [self._item(clusters[name]) for name in islice(names, limit + 1)]
        return arguments.paged(items, limit, "name")

    async def get(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return one cluster. {name} -> {name, labels, server, created_at_ms, applications, public_key, its options}."""
        name = arguments.cluster(request)
        record, _ = await self._stored(name)
        if record is None:
            raise RequestRefused(f"there is no cluster {name!r}")
        draining = {"left": self._draining.left(name)} if DRAINING in record.annotations else {}
        return {**self._item(record), **draining}

    def _item(self, record: ClusterRecord) -> dict[str, Any]:
        return {
            "name": record.name,
            "labels": record.labels,
            "server": record.server,
            "created_at_ms": record.created_at_ms,
            "applications": self._fleet.placements.applications[ClusterName(record.name)],
            "public_key": record.public_key,
            "state": self._draining.state(record),
            **cluster_options.shown(record.annotations),
        }

    async def remove(self, request: dict[str, Any]) -> dict[str, Any]:
        """Remove a cluster and revoke its key. {name, lost?} -> {name, result, left?}. Ask again if it is interrupted.

        `lost`: whatever runs there is orphaned, and told in `left` as far as it is known.
        """
        name = arguments.cluster(request)
        record, revision = await self._stored(name)
        if record is None:
            raise RequestRefused(f"there is no cluster {name!r}")
        left, is_lost = self._draining.left(name), arguments.flag(request, "lost")
        count = max(self._fleet.placements.applications[name], len(left))
        if count and not (is_lost or arguments.flag(request, "force")):
            raise RequestRefused(
                f"cluster {name!r} has {count} applications; drain it first, or remove it as lost: they then stay as they are on "
                "the cluster, and wait here for another destination"
            )
        behind = await self._draining.left_behind(name) if is_lost else []
        if REMOVING not in record.annotations:
            await self._store(replace(record, annotations={**record.annotations, REMOVING: "true"}), revision)
        await self._identities.revoke(name, record.public_key)
        for app in await self._publisher.purge_cluster(name):
            if app != SETTINGS:
                self._touch(app)
        await self._answers.forget_cluster(name)
        await self._bucket.delete(name)
        return {"name": name, "result": "removed", **({"left": behind} if is_lost else {})}

    async def drain(self, request: dict[str, Any]) -> dict[str, Any]:
        """Have everything on a cluster end. {name, keep?, cancel?} -> {name, state, left: applications not ended yet}. Idempotent."""
        name = arguments.cluster(request)
        stored, revision = await self._stored(name)
        if stored is None:
            raise RequestRefused(f"there is no cluster {name!r}")
        record = self._draining.annotated(stored, request)
        if record != stored:
            await self._store(record, revision)
        return {"name": name, "state": self._draining.state(record), "left": self._draining.left(name)}

    async def raise_epoch(self, name: ClusterName, epoch: int) -> None:
        """Write down that a cluster's numbers go on in `epoch`, unless it is a later one already."""
        for _ in range(ATTEMPTS):
            record, revision = await self._stored(name)
            if record is None or stored_epoch(record) >= epoch:
                return
            annotations = {**record.annotations, EPOCH: str(epoch)}
            try:
                await self._bucket.replace(name, replace(record, annotations=annotations).pack(), revision)
            except WrongRevision:
                continue
            return

    async def _stored(self, name: ClusterName) -> tuple[ClusterRecord | None, int]:
        entry = await current(self._js, CLUSTERS, name)
        return (ClusterRecord.unpack(entry.value) if entry.value is not None else None), entry.revision

    async def _store(self, record: ClusterRecord, revision: int) -> None:
        try:
            await self._bucket.replace(record.name, record.pack(), revision)
        except WrongRevision as error:
            raise RequestRefused(
                f"cluster {record.name!r} was changed by somebody else at the same moment; look and try again"
            ) from error
        log.info("cluster stored", cluster=record.name)
