"""What this renderer has to render, by the places that its sources lie in, and how to reach each. Fed by two buckets."""

import asyncio
from dataclasses import dataclass, field

import structlog
from pydantic import ValidationError

from outrider.bus.buckets import Change
from outrider.codec import MalformedMessage
from outrider.identity.sealing import CannotOpen, unseal
from outrider.names import DEFAULT_POOL
from outrider.records import RepositoryRecord, SourceRecord, repository_key
from outrider.rendering.git.access import RepositoryAccess
from outrider.rendering.git.address import Address, parse_address
from outrider.rendering.git.errors import AccessNotGiven, AddressRefused
from outrider.rendering.wanted import Place, Wanted
from repo_renderer.store import Feed

log = structlog.get_logger()


@dataclass
class Catalogue:
    """The renderings of one pool. `changed` holds the places whose sources or credentials changed."""

    pool: str
    sealing_key: bytes | None
    vouches: bool = False
    # The hosts of repositories that were given to this pool may be in a private network, as they are meant to be.
    changed: asyncio.Queue[Place] = field(default_factory=asyncio.Queue)
    _sources: dict[Place, dict[str, Wanted]] = field(default_factory=dict)
    # place -> source key -> what is wanted
    _wanted: dict[str, Wanted] = field(default_factory=dict)
    _repositories: dict[str, RepositoryRecord] = field(default_factory=dict)
    # by repository key

    def sources(self, place: Place) -> list[Wanted]:
        """Return what is wanted of a place."""
        return list(self._sources.get(place, {}).values())

    def places(self) -> list[Place]:
        """Return every place that a source lies in."""
        return list(self._sources)

    def knows(self, key: str) -> bool:
        """Whether a source is wanted."""
        return key in self._wanted

    def access(self, address: str) -> RepositoryAccess:
        """Return how to reach a repository; AccessNotGiven if its credentials are another renderer's."""
        record = self._repositories.get(repository_key(address)) or self._like(address)
        if record is None:
            return RepositoryAccess(address)
        if record.pool not in (self.pool, DEFAULT_POOL):
            raise AccessNotGiven(
                f"{address} is served by pool {record.pool!r}: the renderer of pool {self.pool!r}, "
                "which renders the sources beside it, can't reach it"
            )
        vouched = self.vouches and record.pool == self.pool
        if not record.sealed:
            return RepositoryAccess(address, vouched=vouched)
        if self.sealing_key is None:
            raise AccessNotGiven("this renderer has no key to open credentials: set OUTRIDER_KEYS")
        try:
            secret = unseal(record.sealed, self.sealing_key)
        except CannotOpen as error:
            raise AccessNotGiven(f"the credentials of {address} can't be opened: {error}") from error
        return RepositoryAccess.of(address, secret, vouched=vouched)

    def _like(self, address: str) -> RepositoryRecord | None:
        """Return the record of the same repository by another spelling; for a registry, of the longest path that it is below."""
        wanted = _parsed_address(address)
        best: tuple[int, RepositoryRecord] | None = None
        for record in self._repositories.values():
            known = _parsed_address(record.url)
            if wanted is not None and known is not None and _covers(known, wanted):
                length = len(known.path)
                if best is None or length > best[0]:
                    best = (length, record)
        return best[1] if best else None

    async def follow_sources(self, bucket: Feed, caught_up: asyncio.Event) -> None:
        """Take in bucket `sources`, for ever."""
        async for changes in bucket.watch():
            for change in changes.changes:
                self.put_source(change)
            if changes.caught_up:
                caught_up.set()

    async def follow_repositories(self, bucket: Feed, caught_up: asyncio.Event) -> None:
        """Take in bucket `repositories`, for ever."""
        async for changes in bucket.watch():
            for change in changes.changes:
                self.put_repository(change)
            if changes.caught_up:
                caught_up.set()

    def put_source(self, change: Change) -> None:
        """Take in one change of bucket `sources`."""
        before = self._wanted.pop(change.key, None)
        for place in before.places if before else ():
            del self._sources[place][change.key]
            if not self._sources[place]:
                del self._sources[place]
        wanted = _parsed(change, self.pool)
        if wanted is not None:
            self._wanted[change.key] = wanted
            for place in wanted.places:
                self._sources.setdefault(place, {})[change.key] = wanted
                self.changed.put_nowait(place)

    def put_repository(self, change: Change) -> None:
        """Take in one change of bucket `repositories`."""
        gone = self._repositories.pop(change.key, None)
        record = _unpacked(change)
        if record is not None:
            self._repositories[change.key] = record
        for url in {one.url for one in (gone, record) if one is not None}:
            known = _parsed_address(url)
            for place in self.places():
                asked = _parsed_address(place.address)
                if place.address == url or (
                    known is not None and asked is not None and _covers(known, asked)
                ):
                    self.changed.put_nowait(place)


def _covers(known: Address, wanted: Address) -> bool:
    """Tell whether credentials for one address are meant for another: the same, or what a registry's path is above."""
    if (known.scheme, known.host, known.port) != (wanted.scheme, wanted.host, wanted.port):
        return False
    above, below = known.path.strip("/"), wanted.path.strip("/")
    return above == below or (known.scheme == "oci" and below.startswith(f"{above}/"))


def _parsed_address(url: str) -> Address | None:
    try:
        return parse_address(url)
    except AddressRefused:
        return None


def _unpacked(change: Change) -> RepositoryRecord | None:
    if change.value is None:
        return None
    try:
        return RepositoryRecord.unpack(change.value)
    except MalformedMessage as error:
        log.warning("repository record ignored", key=change.key, reason=str(error))
        return None


def _parsed(change: Change, pool: str) -> Wanted | None:
    if change.value is None:
        return None
    try:
        record = SourceRecord.unpack(change.value)
        return parsed(change.key, record) if record.pool == pool else None
    except (MalformedMessage, ValidationError, TypeError) as error:
        log.warning("source record ignored", key=change.key, reason=type(error).__name__)
        return None


def parsed(key: str, record: SourceRecord) -> Wanted:
    """Return what a record wants; ValidationError or TypeError if it can't be read."""
    return Wanted.parsed(key, record.all_sources, record.context)
