"""All chart repositories and registries of one process, and a cache of archives on disk, by what they hold.

An exact version of a Helm repository is asked for once and never again: it names one archive for good. A range, a tag or a name is
asked for at each look; a Helm repository's index is then fetched only if it changed. Blocking work runs in threads of the store's
own, and one repository at a time.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, TypeVar

from outrider.rendering.charts.archive import unpack
from outrider.rendering.charts.door import Door
from outrider.rendering.charts.helm_repository import Listed, choose, download, fetch_index, listed
from outrider.rendering.charts.reference import Head, Wanted
from outrider.rendering.charts.registry import Registry
from outrider.rendering.errors import RenderError
from outrider.rendering.git.access import RepositoryAccess
from outrider.rendering.git.address import AddressPolicy, parse_address
from outrider.rendering.git.bounds import MIB, FetchLimits, Spending
from outrider.rendering.git.errors import GitError, RepositoryUnavailable
from outrider.rendering.git.export import ExportLimits

T = TypeVar("T")
ReadIndex = Callable[[bytes, Sequence[str], str], Awaitable[dict[str, list[list[str]]]]]

_THREADS = 8
_CACHE_MAX_BYTES = 2048 * MIB
# Archives that were used last are kept; any other is fetched again when it is needed.
FETCH_LIMITS = FetchLimits(max_received_bytes=256 * MIB, total_timeout_s=120.0)


@dataclass
class _Repository:
    """What is known of one repository; `lock` lets one errand at a time ask it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    etag: str = ""
    versions: dict[str, list[Listed]] = field(default_factory=dict)
    # By chart, of the index on disk.


class ChartStore:
    """Charts under one folder, which it owns. One store a folder. Use as `async with`."""

    def __init__(
        self,
        root: Path,
        read_index: ReadIndex,
        *,
        policy: AddressPolicy | None = None,
        fetch_limits: FetchLimits = FETCH_LIMITS,
        unpack_limits: ExportLimits | None = None,
        cache_max_bytes: int = _CACHE_MAX_BYTES,
    ) -> None:
        self._root, self._read_index = root, read_index
        self._policy = policy or AddressPolicy()
        self._fetch_limits, self._cache_max_bytes = fetch_limits, cache_max_bytes
        self._unpack_limits = unpack_limits or ExportLimits()
        self._repositories: dict[str, _Repository] = {}
        self._errands: set[Spending] = set()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="charts")

    async def __aenter__(self) -> Self:
        for name in ("archives", "indexes", "versions"):
            await asyncio.to_thread((self._root / name).mkdir, parents=True, exist_ok=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for spending in list(self._errands):
            spending.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def fetch(
        self, access: RepositoryAccess, wanted: Sequence[Wanted]
    ) -> dict[Wanted, Head | GitError]:
        """Bring charts here; return what each stands for now, or why there is none. GitError if the repository can't be had."""
        address = parse_address(access.url)
        repository = self._repositories.setdefault(address.canonical, _Repository())
        async with repository.lock:
            if address.scheme == "oci":
                return {one: await self._from_registry(access, one) for one in dict.fromkeys(wanted)}
            return await self._from_repository(access, repository, list(dict.fromkeys(wanted)))

    async def unpack(self, head: Head, name: str, folder: Path) -> None:
        """Unpack what was fetched into an empty folder. RenderError names what is refused, or that it has gone from the cache."""
        archive = self._archive(head.content)
        if not await asyncio.to_thread(archive.is_file):
            raise RenderError("charts", "is no longer here; it is fetched again", file=name, transient=True)
        await self._on_thread(
            lambda: unpack(archive, folder, name, self._unpack_limits, without_top=head.is_chart)
        )

    async def archive(self, head: Head) -> bytes:
        """Return an archive that was fetched."""
        return await asyncio.to_thread(self._archive(head.content).read_bytes)

    async def _from_registry(self, access: RepositoryAccess, wanted: Wanted) -> Head | GitError:
        def errand(spending: Spending) -> Head:
            with Door(access, self._policy, spending) as door:
                registry = Registry(door, wanted.chart)
                tag = registry.tag(wanted)
                layer = registry.layer(tag)
                if not self._is_here(layer.digest):
                    with self._incoming() as (file, keep):
                        registry.download(layer, file)
                        keep(layer.digest)
            revision = (
                tag.replace("_", "+") if wanted.chart and not tag.startswith("sha256:") else layer.revision
            )
            return Head(revision, layer.digest, layer.is_chart)

        try:
            return await self._errand(access, errand)
        except GitError as error:
            return error

    async def _from_repository(
        self, access: RepositoryAccess, repository: _Repository, wanted: list[Wanted]
    ) -> dict[Wanted, Head | GitError]:
        heads: dict[Wanted, Head | GitError] = {
            one: known for one in wanted if (known := await asyncio.to_thread(self._known, access.url, one))
        }
        asked = [one for one in wanted if one not in heads]
        if asked:
            await self._refresh_index(access, repository, sorted({one.chart for one in asked}))
        for one in asked:
            try:
                chosen = choose(one, repository.versions.get(one.chart, []))
                heads[one] = await self._errand(access, self._download(access, one, chosen))
            except GitError as error:
                heads[one] = error
        return heads

    async def _refresh_index(
        self, access: RepositoryAccess, repository: _Repository, charts: list[str]
    ) -> None:
        file = self._root / "indexes" / hashlib.sha256(access.url.encode()).hexdigest()
        new = file.with_suffix(".new")

        def errand(spending: Spending) -> str | None:
            with Door(access, self._policy, spending) as door:
                return fetch_index(door, new, repository.etag)

        etag = await self._errand(access, errand)
        if etag is not None:
            # It counts from here on, whatever the reading of it gives.
            await asyncio.to_thread(os.replace, new, file)
            repository.etag, repository.versions = "", {}
        unread = [chart for chart in charts if chart not in repository.versions]
        if unread:
            data = await asyncio.to_thread(file.read_bytes)
            try:
                found = await self._read_index(data, unread, "index.yaml")
            except RenderError as error:
                raise RepositoryUnavailable(access.url, str(error)) from error
            for chart in unread:
                repository.versions[chart] = listed(found.get(chart, []))
        repository.etag = etag if etag is not None else repository.etag

    def _download(
        self, access: RepositoryAccess, wanted: Wanted, chosen: Listed
    ) -> Callable[[Spending], Head]:
        def errand(spending: Spending) -> Head:
            exact = Wanted(wanted.chart, chosen.version)
            if (known := self._known(access.url, exact, chosen.digest)) is not None:
                return known
            with Door(access, self._policy, spending) as door, self._incoming() as (file, keep):
                digest = download(door, chosen, wanted.passes_credentials, file)
                keep(digest)
            head = Head(chosen.version, digest)
            self._version_file(access.url, exact).write_text(json.dumps(asdict(head)))
            return head

        return errand

    def _known(self, url: str, wanted: Wanted, digest: str = "") -> Head | None:
        """Return what an exact version was found to be, if its archive is still here (and what the index says of it, if given)."""
        try:
            head = Head(**json.loads(self._version_file(url, wanted).read_text()))
        except (OSError, ValueError, TypeError):
            return None
        return head if self._is_here(head.content) and digest in ("", head.content) else None

    def _version_file(self, url: str, wanted: Wanted) -> Path:
        name = hashlib.sha256(json.dumps([url, wanted.chart, wanted.version]).encode()).hexdigest()
        return self._root / "versions" / name

    def _archive(self, digest: str) -> Path:
        return self._root / "archives" / f"{digest}.tgz"

    def _is_here(self, digest: str) -> bool:
        try:
            # The time of its last use, for `_make_room`.
            os.utime(self._archive(digest))
        except OSError:
            return False
        return True

    @contextlib.contextmanager
    def _incoming(self) -> Iterator[tuple[BinaryIO, Callable[[str], None]]]:
        """Hold a file to download to, and what puts it among the archives under its digest; otherwise it is gone afterwards."""
        descriptor, name = tempfile.mkstemp(dir=self._root / "archives", suffix=".new")
        path = Path(name)

        def keep(digest: str) -> None:
            path.replace(self._archive(digest))
            self._make_room(self._archive(digest))

        try:
            with os.fdopen(descriptor, "w+b") as file:
                yield file, keep
        finally:
            path.unlink(missing_ok=True)

    def _make_room(self, newest: Path) -> None:
        kept = sorted(
            (self._root / "archives").glob("*.tgz"), key=lambda path: path.stat().st_mtime, reverse=True
        )
        size_bytes = 0
        for path in kept:
            size_bytes += path.stat().st_size
            if size_bytes > self._cache_max_bytes and path != newest:
                path.unlink(missing_ok=True)

    async def _errand(self, access: RepositoryAccess, work: Callable[[Spending], T]) -> T:
        spending = Spending(access.url, self._fetch_limits)
        self._errands.add(spending)
        try:
            return await self._on_thread(lambda: work(spending))
        except asyncio.CancelledError:
            spending.stop()
            raise
        finally:
            self._errands.discard(spending)

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
