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


class Source:
    """One distinct source, shared by the applications that have it."""

    def __init__(self, model: ApplicationSource) -> None:
        self.model = model
        self.is_chart = model.explicit_kind is SourceKind.HELM
        self.may_be_chart = model.explicit_kind in (None, SourceKind.HELM)
        self._body: dict[str, Any] = model.model_dump(by_alias=True, mode="json", exclude_defaults=True)
        self._plain: dict[Origin, tuple[str, SourceRecord]] = {}

    def plain(self, origin: Origin) -> tuple[str, SourceRecord]:
        """Return key and record of the rendering that knows no release."""
        if origin not in self._plain:
            self._plain[origin] = self._keyed(origin, {})
        return self._plain[origin]

    def chart(self, app: AppName, namespace: str, origin: Origin) -> tuple[str, SourceRecord]:
        """Return key and record of the rendering for an application's release."""
        named = release(self.model, RenderContext(app, namespace))
        return self._keyed(origin, {"app_name": named["name"], "namespace": named["namespace"]})

    def _keyed(self, origin: Origin, context: dict[str, Any]) -> tuple[str, SourceRecord]:
        # The path stands in the record, whatever the defaults of a later version are.
        body = {**self._body, "repoURL": origin.repo_url, "path": self.model.path}
        record = SourceRecord(origin.repo_url, origin.pool, body, context)
        return source_key(record.repo_url, record.source, record.context), record


def wanted(
    app: AppName,
    source: Source,
    namespace: str,
    origin: Origin,
    renderings: Mapping[str, RenderingRecord],
) -> tuple[str, dict[str, SourceRecord]]:
    """Return the key of the rendering that counts for an application, by what the renderer has said so far, and all that it wants.

    The plain one stays wanted beside a chart's: it tells when the path is no chart any more.
    """
    records: dict[str, SourceRecord] = {}
    used = ""
    if not source.is_chart:
        used, record = source.plain(origin)
        records[used] = record
    if source.is_chart or (source.may_be_chart and _needs_release(renderings.get(used))):
        used, record = source.chart(app, namespace, origin)
        records[used] = record
    return used, records


def _needs_release(rendering: RenderingRecord | None) -> bool:
    return rendering is not None and rendering.needs_release


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
