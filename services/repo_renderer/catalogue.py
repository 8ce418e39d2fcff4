"""What this renderer has to render: sources by repository, and how to reach each repository. Fed by two buckets."""

import asyncio
from dataclasses import dataclass, field

import structlog
from pydantic import ValidationError

from outrider.bus.buckets import Change, KeyValue
from outrider.codec import MalformedMessage
from outrider.identity.sealing import CannotOpen, unseal
from outrider.records import RepositoryRecord, SourceRecord, repository_key
from outrider.rendering.git.access import RepositoryAccess
from outrider.rendering.identity import RenderContext
from outrider.spec.source import ApplicationSource

log = structlog.get_logger()


@dataclass(frozen=True)
class Wanted:
    """One distinct rendering that applications ask for. Without a context, a chart can't be rendered."""

    key: str
    repo_url: str
    source: ApplicationSource
    context: RenderContext | None


@dataclass
class Catalogue:
    """The sources of one pool. `changed` holds the repositories whose sources or credentials changed."""

    pool: str
    sealing_key: bytes | None
    changed: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    _sources: dict[str, dict[str, Wanted]] = field(default_factory=dict)
    # repository URL -> source key -> source
    _repository_of: dict[str, str] = field(default_factory=dict)
    _repositories: dict[str, RepositoryRecord] = field(default_factory=dict)
    # by repository key

    def sources(self, repo_url: str) -> list[Wanted]:
        """Return the sources of a repository."""
        return list(self._sources.get(repo_url, {}).values())

    def repositories(self) -> list[str]:
        """Return the repositories that any source is in."""
        return list(self._sources)

    def access(self, repo_url: str) -> RepositoryAccess:
        """Return how to reach a repository; CannotOpen if its credentials are sealed to another renderer."""
        record = self._repositories.get(repository_key(repo_url))
        if record is None or not record.sealed:
            return RepositoryAccess(repo_url)
        if self.sealing_key is None:
            raise CannotOpen("this renderer has no key to open credentials: set OUTRIDER_KEYS")
        secret = unseal(record.sealed, self.sealing_key)
        names = ("username", "password", "ssh_private_key", "ssh_known_hosts", "tls_ca")
        return RepositoryAccess(repo_url, **{name: str(secret.get(name) or "") for name in names})

    async def follow_sources(self, bucket: KeyValue, caught_up: asyncio.Event) -> None:
        """Take in bucket `sources`, for ever."""
        async for changes in bucket.watch():
            for change in changes.changes:
                self.put_source(change)
            if changes.caught_up:
                caught_up.set()

    async def follow_repositories(self, bucket: KeyValue, caught_up: asyncio.Event) -> None:
        """Take in bucket `repositories`, for ever."""
        async for changes in bucket.watch():
            for change in changes.changes:
                self.put_repository(change)
            if changes.caught_up:
                caught_up.set()

    def put_source(self, change: Change) -> None:
        """Take in one change of bucket `sources`."""
        before = self._repository_of.pop(change.key, None)
        if before is not None:
            self._sources[before].pop(change.key, None)
            if not self._sources[before]:
                del self._sources[before]
        wanted = _parsed(change, self.pool)
        if wanted is not None:
            self._sources.setdefault(wanted.repo_url, {})[change.key] = wanted
            self._repository_of[change.key] = wanted.repo_url
            self.changed.put_nowait(wanted.repo_url)

    def put_repository(self, change: Change) -> None:
        """Take in one change of bucket `repositories`."""
        if change.value is None:
            gone = self._repositories.pop(change.key, None)
            if gone is not None:
                self.changed.put_nowait(gone.url)
            return
        try:
            record = RepositoryRecord.unpack(change.value)
        except MalformedMessage as error:
            log.warning("repository record ignored", key=change.key, reason=str(error))
            return
        self._repositories[change.key] = record
        self.changed.put_nowait(record.url)


def _parsed(change: Change, pool: str) -> Wanted | None:
    if change.value is None:
        return None
    try:
        record = SourceRecord.unpack(change.value)
        if record.pool != pool:
            return None
        source = ApplicationSource.model_validate(record.source)
    except (MalformedMessage, ValidationError) as error:
        log.warning("source record ignored", key=change.key, reason=type(error).__name__)
        return None
    context = RenderContext(**record.context) if record.context else None
    return Wanted(change.key, record.repo_url, source, context)
