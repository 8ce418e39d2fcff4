"""What the registry knows: the buckets' newest values in a compact form, indexed by whom a change concerns. No I/O.

Each `put_*` takes one change of a bucket and returns what must be looked at again: applications, and renderings by their key.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from sys import intern
from typing import Any, TypeVar

import structlog
from pydantic import ValidationError

from app_registry.app import SHARED_MAX, App, from_record
from app_registry.desired import Condition
from app_registry.origins import Origins
from app_registry.placements import Placements
from app_registry.pools import Pools
from app_registry.project import Project
from app_registry.projects import Projects
from app_registry.sources import Needs, User, WantedSources, needed, one_pool, wanted
from outrider.bus.buckets import Change
from outrider.codec import MalformedMessage, Message
from outrider.names import AppName, ClusterName, from_token
from outrider.records import (
    GATEWAY_LEASE,
    SETTINGS_KEY,
    ApplicationRecord,
    ClusterRecord,
    ConditionsRecord,
    PoolPresenceRecord,
    PoolRecord,
    ProjectRecord,
    RenderingRecord,
    RepositoryRecord,
    SetRecord,
    SettingsRecord,
    SourceRecord,
)
from outrider.spec.app_project import AppProjectSpec
from outrider.spec.application import DEFAULT_PROJECT
from outrider.spec.document import InvalidManifest
from outrider.spec.source import ApplicationSource

log = structlog.get_logger()

M = TypeVar("M", bound=Message)


@dataclass
class Touched:
    """What must be looked at again."""

    apps: set[AppName] = field(default_factory=set)
    sources: set[str] = field(default_factory=set)
    clusters: set[ClusterName] = field(default_factory=set)
    # those whose settings may have changed

    def __or__(self, other: "Touched") -> "Touched":
        return Touched(self.apps | other.apps, self.sources | other.sources, self.clusters | other.clusters)


class Fleet:
    """The registry's picture of the fleet."""

    def __init__(self) -> None:
        self.applications: dict[AppName, App] = {}
        self.damaged: dict[AppName, str] = {}
        # stored applications that this version does not understand, and why
        self.ended: set[AppName] = set()
        # those that were deleted: the bucket keeps a marker, where it was not lost
        self.placements = Placements()
        self.origins = Origins()
        self.pools = Pools()
        self.projects = Projects()
        self.settings: SettingsRecord | None = None
        # None: nobody has set any, or they can't be read. What edges were told stays.
        self.sets: dict[str, SetRecord] = {}
        self.renderings: dict[str, RenderingRecord] = {}
        self.conditions: dict[AppName, ConditionsRecord] = {}
        self.stored_sources: dict[str, bytes] = {}
        # what bucket `sources` holds
        self.wanted = WantedSources()
        self._names: list[AppName] = []
        # sorted
        self._used: dict[AppName, str] = {}
        # the rendering that counts for each application

    def names(self, after: str = "", cluster: str = "") -> Iterator[AppName]:
        """Yield applications by name, from the one after `after` on."""
        first = bisect_right(self._names, after) if after else 0
        for name in self._names[first:]:
            if not cluster or self.placements.of(name) == cluster:
                yield name

    def rendering_key(self, app: AppName) -> str:
        """Return the key of the rendering that counts for an application; empty if the hub renders none for it."""
        return self._used.get(app, "")

    def rendering_of(self, app: AppName) -> RenderingRecord | None:
        """Return the rendering that counts for an application, if there is one yet."""
        return self.renderings.get(self._used.get(app, ""))

    def renders_at_edge(self, app: App) -> bool:
        """Whether an application's edge pulls Git and renders it; the hub's renderers then have nothing to do with it."""
        if app.render is not None:
            return app.render == "edge"
        return self.placements.renders_at_edge(self.placements.of(app.name))

    def sources_for_edge(self, app: App) -> dict[str, Any]:
        """Return what an edge needs to know to render an application: `messages.Desired.spec["render"]`."""
        origins = [self.origins.origin(model.address) for model in app.source.models]
        _, record = app.source.wanted(Needs.APPLICATION, _user(app), origins)
        project = {} if app.project == DEFAULT_PROJECT else {"project": app.project}
        return {"sources": record.all_sources, **project}

    def source_of(self, app: AppName) -> SourceRecord | None:
        """Return what is rendered for an application."""
        return self.wanted.record(self._used.get(app, ""))

    def pool_conditions(self, app: App) -> tuple[Condition, ...]:
        """Return what the pool that renders for an application keeps it from."""
        if app.name not in self._used:
            return ()
        origins = [self.origins.origin(model.address) for model in app.source.models]
        return self.pools.conditions(origins, self.rendering_of(app.name))

    def pool_warnings(self, name: AppName, sources: Sequence[ApplicationSource]) -> list[str]:
        """Return what a person should know of the pool that renders an application, or would, with these sources."""
        if (app := self.applications.get(name)) is not None:
            return [one.message for one in self.pool_conditions(app)]
        origins = [self.origins.origin(source.address) for source in sources]
        return [one.message for one in self.pools.conditions(origins, None)]

    def put_application(self, change: Change) -> Touched:
        """Take in one change of bucket `applications`; one that is known already, or outdated, changes nothing."""
        name = AppName(intern(from_token(change.key)))
        if (known := self.applications.get(name)) is not None and change.revision <= known.revision:
            return Touched()
        app = self._understood(name, change)
        if change.value is None:
            self.ended.add(name)
        else:
            self.ended.discard(name)
        before = self.applications.pop(name, None)
        if app is not None:
            self.applications[name] = app
        if (before is None) != (app is None):
            self._rename(name, present=app is not None)
        self.placements.put_application(name, app.destination if app else None)
        self.projects.put_application(name, app.project if app else None)
        self.origins.put_application(name, app.source.urls if app else ())
        return Touched({name}, self._want(name))

    def _understood(self, name: AppName, change: Change) -> App | None:
        self.damaged.pop(name, None)
        if change.value is None:
            return None
        try:
            return from_record(name, change.revision, ApplicationRecord.unpack(change.value))
        except (MalformedMessage, InvalidManifest) as error:
            # Written by another version. What runs stays; nothing more can be said of it.
            log.error("stored application not understood", app=name, reason=str(error))  # noqa: TRY400
            self.damaged[name] = str(error)
            return None

    def _rename(self, name: AppName, *, present: bool) -> None:
        if present:
            insort(self._names, name)
        else:
            del self._names[bisect_left(self._names, name)]

    def put_cluster(self, change: Change) -> Touched:
        """Take in one change of bucket `clusters`."""
        name, record = ClusterName(change.key), _unpacked(ClusterRecord, change)
        touched = Touched(self.placements.put_cluster(name, record), clusters={name})
        for app in touched.apps:
            known = self.applications.get(app)
            # Its cluster may say now that it is rendered there, or that it is not.
            if known is not None and self.renders_at_edge(known) == (app in self._used):
                touched.sources |= self._want(app)
        return touched

    def put_project(self, change: Change) -> Touched:
        """Take in one change of bucket `projects`: its applications may be permitted more, or less, from here on."""
        name = from_token(change.key)
        if change.value is None:
            return Touched(set(self.projects.put(name, change.revision, None)))
        try:
            record = ProjectRecord.unpack(change.value)
            spec = AppProjectSpec.model_validate(record.manifest.get("spec"))
        except (MalformedMessage, ValidationError) as error:
            # Written by another version. Its rules can't be held, so nothing is permitted; what runs stays.
            log.error("stored project not understood", project=name, reason=str(error))  # noqa: TRY400
            return Touched(set(self.projects.put(name, change.revision, None, type(error).__name__)))
        return Touched(set(self.projects.put(name, change.revision, Project(name, spec))))

    def put_set(self, change: Change) -> Touched:
        """Take in one change of bucket `sets`."""
        name = from_token(change.key)
        self.sets.pop(name, None)
        if (record := _unpacked(SetRecord, change)) is not None:
            self.sets[name] = record
        return Touched()

    def put_settings(self, change: Change) -> Touched:
        """Take in one change of bucket `settings`, which every cluster has to be told."""
        if change.key == SETTINGS_KEY:
            self.settings = _unpacked(SettingsRecord, change)
        return Touched(clusters=set(self.placements.clusters))

    def put_repository(self, change: Change) -> Touched:
        """Take in one change of bucket `repositories`: its sources may have another URL or pool from here on."""
        touched = Touched(self.origins.put_repository(change.key, _unpacked(RepositoryRecord, change)))
        for app in touched.apps:
            touched.sources |= self._want(app)
        return touched

    def put_pool(self, change: Change) -> Touched:
        """Take in one change of bucket `pools`."""
        _put(self.pools.records, change.key, _unpacked(PoolRecord, change))
        return Touched(self.in_pool(change.key))

    def put_pool_presence(self, change: Change) -> Touched:
        """Take in one change of bucket `pool_presence`, which holds a lease beside the pools."""
        if change.key != GATEWAY_LEASE:
            _put(self.pools.presence, change.key, _unpacked(PoolPresenceRecord, change))
        return Touched(self.in_pool(change.key))

    def pool_of(self, app: App) -> str:
        """Return the pool that renders an application, or would: of several sources, the one that renders them all."""
        return one_pool([self.origins.origin(model.address) for model in app.source.models])

    def in_pool(self, pool: str) -> set[AppName]:
        """Return the applications that a pool renders for."""
        return self.wanted.in_pool(pool)

    def put_rendering(self, change: Change) -> Touched:
        """Take in one change of bucket `renderings`."""
        touched = Touched(set(self.wanted.users(change.key)))
        before = self.renderings.pop(change.key, None)
        record = _unpacked(RenderingRecord, change)
        if record is not None:
            self.renderings[change.key] = record
        if needed(before) != needed(record):
            for app in touched.apps:
                touched.sources |= self._want(app)
        return touched

    def put_conditions(self, change: Change) -> Touched:
        """Take in one change of bucket `conditions`, which nobody but the registry writes."""
        name = AppName(from_token(change.key))
        self.conditions.pop(name, None)
        if (record := _unpacked(ConditionsRecord, change)) is not None:
            # Most applications have none: those of one cluster share a record.
            self.conditions[name] = record if record.conditions else _without_conditions(record.cluster)
        return Touched()

    def put_source(self, change: Change) -> Touched:
        """Take in one change of bucket `sources`, which nobody but the registry writes."""
        self.stored_sources.pop(change.key, None)
        if change.value is not None:
            self.stored_sources[change.key] = change.value
        return Touched()

    def _want(self, name: AppName) -> set[str]:
        """Note what an application wants rendered; return the sources whose record must be looked at."""
        app = self.applications.get(name)
        self._used.pop(name, None)
        if app is None or app.deleting or self.renders_at_edge(app):
            return self.wanted.want(name, {})
        self._used[name], records = wanted(_user(app), app.source, self.origins.origin, self.renderings)
        return self.wanted.want(name, records)


def _user(app: App) -> User:
    return User(app.name, app.destination.namespace, app.project)


def _put(table: dict[str, M], key: str, record: M | None) -> None:
    if record is None:
        table.pop(key, None)
    else:
        table[key] = record


@lru_cache(maxsize=SHARED_MAX)
def _without_conditions(cluster: str) -> ConditionsRecord:
    return ConditionsRecord([], intern(cluster))


def _unpacked(kind: type[M], change: Change) -> M | None:
    """Return the record in a change; None if the key is gone, or if another version wrote what this one can't read."""
    if change.value is None:
        return None
    try:
        return kind.unpack(change.value)
    except MalformedMessage as error:
        log.warning("record not understood", kind=kind.__name__, key=change.key, reason=str(error))
        return None
