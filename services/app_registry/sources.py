"""Which distinct renderings are wanted: one for the same sources, however many applications share them. Pure.

What else a rendering depends on is known in part from the source (a chart depends on its release), in part only to who reads the
repository (whether a path holds a chart, or overrides for single applications). So an application asks for as little as its
source says, and for more when the renderer answers that it needs more: nothing, then its release, then the application
itself. A plain directory is rendered once for a thousand shops, and a chart once for each release.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import Any

from outrider.names import DEFAULT_POOL, AppName
from outrider.records import RenderingRecord, SourceRecord, source_key
from outrider.rendering.environment import referred
from outrider.rendering.identity import RenderContext, release
from outrider.spec.references import APPLICATION
from outrider.spec.source import ApplicationSource, SourceKind

ALIKE_MAX = 8192
# Distinct wants that are kept once.


@dataclass(frozen=True)
class Origin:
    """Where a source is fetched from: the URL and pool that its repository is registered with."""

    repo_url: str
    pool: str
    is_sealed: bool = False
    # It has credentials, which that pool's renderers alone can open.


@dataclass(frozen=True)
class User:
    """What of an application can enter a rendering."""

    name: AppName
    namespace: str
    project: str = "default"


class Needs(IntEnum):
    """What a rendering depends on beyond its sources."""

    NOTHING = 0
    RELEASE = 1
    APPLICATION = 2


class Source:
    """The sources of an application, one or several, shared by the applications that have the same."""

    def __init__(self, *models: ApplicationSource) -> None:
        self.models = models
        self._charts = [
            model for model in models if model.explicit_kind in (None, SourceKind.HELM) and model.is_rendered
        ]
        self.needs = self._known_needs()
        self._bodies: list[dict[str, Any]] = [
            model.model_dump(by_alias=True, mode="json", exclude_defaults=True) for model in models
        ]
        self._plain: dict[tuple[Origin, ...], tuple[str, SourceRecord]] = {}

    def _known_needs(self) -> Needs:
        if any(APPLICATION & referred(model) for model in self.models):
            return Needs.APPLICATION
        is_chart = any(model.explicit_kind is SourceKind.HELM for model in self.models)
        return Needs.RELEASE if is_chart else Needs.NOTHING

    @property
    def shown(self) -> str:
        """What to call it in messages."""
        return " + ".join(
            f"{model.repo_url} {model.chart or model.folder}" for model in self.models if model.is_rendered
        )

    @property
    def urls(self) -> tuple[str, ...]:
        """The repositories and registries that it reads, each once."""
        return tuple(dict.fromkeys(model.address for model in self.models))

    def wanted(self, needs: Needs, user: User, origins: Sequence[Origin]) -> tuple[str, SourceRecord]:
        """Return key and record of its rendering, `origins` being those of `models` in their order."""
        if needs is Needs.APPLICATION:
            return self._keyed(
                origins, {"app_name": user.name, "namespace": user.namespace, "project": user.project}
            )
        if needs is Needs.RELEASE:
            return self._keyed(origins, self._release(user))
        known = tuple(origins)
        if known not in self._plain:
            self._plain[known] = self._keyed(origins, {})
        return self._plain[known]

    def _release(self, user: User) -> dict[str, Any]:
        """Return the release, by names that applications share where their charts all say the same one."""
        context = RenderContext(user.name, user.namespace)
        named = [release(model, context) for model in self._charts]
        shared = {key: {one[key] for one in named} for key in ("name", "namespace")}
        name = shared["name"].pop() if len(shared["name"]) == 1 else user.name
        namespace = shared["namespace"].pop() if len(shared["namespace"]) == 1 else user.namespace
        return {"app_name": name, "namespace": namespace}

    def _keyed(self, origins: Sequence[Origin], context: dict[str, Any]) -> tuple[str, SourceRecord]:
        # The path stands in the record, whatever the defaults of a later version are.
        bodies = [
            {**body, "repoURL": origin.repo_url, "path": model.path}
            for body, origin, model in zip(self._bodies, origins, self.models, strict=True)
        ]
        first = origins[0].repo_url
        if len(bodies) == 1:
            record = SourceRecord(first, origins[0].pool, bodies[0], context)
            return source_key(first, bodies[0], context), record
        record = SourceRecord(first, one_pool(origins), {}, context, list(bodies))
        return source_key(first, {"sources": bodies}, context), record


def one_pool(origins: Sequence[Origin]) -> str:
    """Return the pool that renders sources of several: the first that is not the hub's own."""
    return next((origin.pool for origin in origins if origin.pool != DEFAULT_POOL), DEFAULT_POOL)


def wanted(
    user: User,
    source: Source,
    origin: Callable[[str], Origin],
    renderings: Mapping[str, RenderingRecord],
) -> tuple[str, dict[str, SourceRecord]]:
    """Return the key of the rendering that counts for an application, by what the renderer has said so far, and all that it wants.

    Those asked for first stay wanted: they tell when the path is no chart any more.
    """
    origins = [origin(model.address) for model in source.models]
    records: dict[str, SourceRecord] = {}
    needs = source.needs
    while True:
        used, record = source.wanted(needs, user, origins)
        records[used] = record
        asked = needed(renderings.get(used))
        if asked <= needs:
            return used, records
        needs = asked


def needed(rendering: RenderingRecord | None) -> Needs:
    """Return what the renderer has said that a rendering needs."""
    if rendering is None:
        return Needs.NOTHING
    if rendering.needs_application:
        return Needs.APPLICATION
    return Needs.RELEASE if rendering.needs_release else Needs.NOTHING


@lru_cache(maxsize=ALIKE_MAX)
def _same(keys: tuple[str, ...]) -> tuple[str, ...]:
    """Return one object for all applications that want the same."""
    return keys


@dataclass
class WantedSources:
    """Who wants which rendering. Methods return the keys whose record must be looked at."""

    _records: dict[str, SourceRecord] = field(default_factory=dict)
    _users: dict[str, set[AppName]] = field(default_factory=dict)
    _wants: dict[AppName, tuple[str, ...]] = field(default_factory=dict)

    def want(self, app: AppName, records: Mapping[str, SourceRecord]) -> set[str]:
        """Note what an application wants, in place of what it wanted before."""
        before = self._wants.pop(app, ())
        for key in before:
            self._users[key].discard(app)
        for key in records:
            # Applications that share a source share its record too: there are few sources and many applications.
            self._users.setdefault(key, set()).add(app)
        changed = {key for key, record in records.items() if self._records.get(key) != record}
        for key in changed:
            self._records[key] = records[key]
        if records:
            self._wants[app] = _same(tuple(records))
        return changed | self._unused(before)

    def _unused(self, keys: Iterable[str]) -> set[str]:
        unused = {key for key in keys if not self._users.get(key)}
        for key in unused:
            self._users.pop(key, None)
            self._records.pop(key, None)
        return unused

    def record(self, key: str) -> SourceRecord | None:
        """Return the wanted record of a source; None if nobody wants it."""
        return self._records.get(key)

    def users(self, key: str) -> frozenset[AppName]:
        """Return the applications that want a source."""
        return frozenset(self._users.get(key, ()))

    def in_pool(self, pool: str) -> set[AppName]:
        """Return the applications whose sources a pool renders."""
        keys = [key for key, record in self._records.items() if record.pool == pool]
        return {app for key in keys for app in self._users.get(key, ())}

    def keys(self) -> frozenset[str]:
        """Return every wanted source."""
        return frozenset(self._records)
