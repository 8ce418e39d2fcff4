"""Which distinct renderings are wanted: one a source, however many applications share it. Pure.

A chart's rendering depends on the release (the application's name and namespace); nothing else does. Whether a path holds a
chart is known only to who reads the repository: an application whose source does not say asks without a release first, and
when the renderer answers that it needs one, for its own release as well. So a plain directory is rendered once for a
thousand shops, and a chart once for each release.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from outrider.names import AppName
from outrider.records import RenderingRecord, SourceRecord, source_key
from outrider.rendering.identity import RenderContext, release
from outrider.spec.source import ApplicationSource, SourceKind


@dataclass(frozen=True)
class Origin:
    """Where an application's source is fetched from: the URL and pool that its repository is registered with."""

    repo_url: str
    pool: str


@dataclass(frozen=True)
class Renderings:
    """The renderings that an application may use; `plain` is None where the source says that it is a chart."""

    plain: str | None
    chart: str | None

    def key(self, renderings: Mapping[str, RenderingRecord]) -> str:
        """Return the rendering that counts, by what the renderer has said so far."""
        if self.plain is None or (self.chart is not None and _needs_release(renderings.get(self.plain))):
            return self.chart or ""
        return self.plain

    def keys(self, renderings: Mapping[str, RenderingRecord]) -> tuple[str, ...]:
        """Return all that are wanted: the plain one stays, to learn when the path is no chart any more."""
        used = self.key(renderings)
        return (used,) if self.plain in (None, used) else (self.plain or "", used)


def _needs_release(rendering: RenderingRecord | None) -> bool:
    return rendering is not None and rendering.needs_release


def source_records(
    app: AppName, source: ApplicationSource, namespace: str, origin: Origin
) -> tuple[Renderings, dict[str, SourceRecord]]:
    """Return the renderings that an application may use, and their records by key."""
    body: dict[str, Any] = source.model_dump(by_alias=True, mode="json", exclude_defaults=True)
    # `.` is the default, and what a path is must be in the record whatever the defaults of a later version are.
    body |= {"repoURL": origin.repo_url, "path": source.path}
    contexts: dict[str, dict[str, Any]] = {}
    if source.explicit_kind is not SourceKind.HELM:
        contexts["plain"] = {}
    if source.explicit_kind in (None, SourceKind.HELM):
        named = release(source, RenderContext(app, namespace))
        contexts["chart"] = {"app_name": named["name"], "namespace": named["namespace"]}
    records = {
        kind: SourceRecord(origin.repo_url, origin.pool, body, context) for kind, context in contexts.items()
    }
    keys = {
        kind: source_key(record.repo_url, record.source, record.context) for kind, record in records.items()
    }
    return Renderings(keys.get("plain"), keys.get("chart")), {keys[kind]: records[kind] for kind in records}


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
            self._wants[app] = tuple(records)
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

    def keys(self) -> frozenset[str]:
        """Return every wanted source."""
        return frozenset(self._records)
