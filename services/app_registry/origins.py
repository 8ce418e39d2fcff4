"""How each repository is registered: by what URL it is fetched and by which pool, whatever spelling an application uses. No I/O."""

from functools import lru_cache

from app_registry.sources import Origin
from outrider.names import DEFAULT_POOL, AppName
from outrider.records import RepositoryRecord
from outrider.rendering.git.address import parse_address
from outrider.rendering.git.errors import AddressRefused

SPELLINGS_MAX = 8192


@lru_cache(maxsize=SPELLINGS_MAX)
def same_repository(url: str) -> str:
    """Return what all spellings of a repository's URL have in common, as Argo CD compares them."""
    try:
        canonical = parse_address(url).canonical
    except AddressRefused:
        return url
    return canonical.rstrip("/").removesuffix(".git")


class Origins:
    """Registered repositories, and the applications in each repository, registered or not."""

    def __init__(self) -> None:
        self.records: dict[str, RepositoryRecord] = {}
        # by bucket key
        self._registered: dict[str, RepositoryRecord] = {}
        self._applications: dict[str, set[AppName]] = {}
        self._of: dict[AppName, tuple[str, ...]] = {}

    def origin(self, url: str) -> Origin:
        """Return how a repository is fetched."""
        record = self._registered.get(same_repository(url))
        if record is None:
            return Origin(url, DEFAULT_POOL)
        return Origin(record.url, record.pool, bool(record.sealed))

    def in_pool(self, pool: str) -> list[RepositoryRecord]:
        """Return the repositories that a pool serves, by URL."""
        return sorted((one for one in self.records.values() if one.pool == pool), key=lambda one: one.url)

    def applications(self, url: str) -> frozenset[AppName]:
        """Return the applications that have a source in a repository."""
        return frozenset(self._applications.get(same_repository(url), ()))

    def put_repository(self, key: str, record: RepositoryRecord | None) -> set[AppName]:
        """Take in a repository (None: it is gone); return the applications that are in it."""
        concerned: set[AppName] = set()
        if (before := self.records.pop(key, None)) is not None:
            self._registered.pop(same_repository(before.url), None)
            concerned |= self.applications(before.url)
        if record is not None:
            self.records[key] = record
            self._registered[same_repository(record.url)] = record
            concerned |= self.applications(record.url)
        return concerned

    def put_application(self, app: AppName, urls: tuple[str, ...]) -> None:
        """Take in which repositories an application is in (none: it is gone)."""
        for before in self._of.pop(app, ()):
            self._applications[before].discard(app)
            if not self._applications[before]:
                del self._applications[before]
        if urls:
            self._of[app] = tuple(dict.fromkeys(map(same_repository, urls)))
        for repository in self._of.get(app, ()):
            self._applications.setdefault(repository, set()).add(app)
