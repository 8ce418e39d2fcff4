"""All repositories of one process, on disk.

Blocking work runs in threads of the store's own: a server that hangs holds one of them until its time is up, and the repositories
after it find another. Two fetches of one repository wait for one another without holding any, fetches of different ones never wait.
"""

import asyncio
import contextlib
import dataclasses
import functools
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from outrider.rendering.errors import RenderError
from outrider.rendering.exported import SOURCE_FOLDER, Export
from outrider.rendering.git.access import RepositoryAccess
from outrider.rendering.git.address import AddressPolicy, parse_address
from outrider.rendering.git.bounds import MIB, FetchLimits, Spending
from outrider.rendering.git.clone import PACKS_MAX, Clone, Generation, clone_key
from outrider.rendering.git.errors import AddressRefused, GitError, RepositoryUnavailable
from outrider.rendering.git.export import Exporter, ExportLimits
from outrider.rendering.git.fingerprint import Fingerprint, contents
from outrider.rendering.git.links import LinkRefused, follow
from outrider.rendering.git.remote import Heads, Remote, UnreadableAnswer
from outrider.rendering.identity import digest
from outrider.spec.source import ApplicationSource, SourceKind

T = TypeVar("T")

_NETWORK_THREADS = 32
_DISK_THREADS = 4


@dataclass
class _Repository:
    """A clone, and whose turn it is: waiting for a turn takes up no thread."""

    clone: Clone
    fetching: asyncio.Lock = field(default_factory=asyncio.Lock)
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)


class GitStore:
    """Clones under one folder, which it owns. One store a folder."""

    def __init__(
        self,
        root: Path,
        *,
        policy: AddressPolicy | None = None,
        fetch_limits: FetchLimits | None = None,
        export_limits: ExportLimits | None = None,
        keeps_free_bytes: int = 0,
    ) -> None:
        """`keeps_free_bytes`: of the disk, for others. A fetch that would need more than the rest is refused."""
        self._clones_root, self._exports_root = root / "clones", root / "exports"
        self._policy = policy or AddressPolicy()
        self._fetch_limits = fetch_limits or FetchLimits()
        self._export_limits = export_limits or ExportLimits()
        self._keeps_free_bytes = keeps_free_bytes
        self._repositories: dict[str, _Repository] = {}
        self._fetching: set[Spending] = set()
        self._network = ThreadPoolExecutor(_NETWORK_THREADS, thread_name_prefix="git network")
        self._disk = ThreadPoolExecutor(_DISK_THREADS, thread_name_prefix="git disk")

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._prepare)
        return self

    def _prepare(self) -> None:
        shutil.rmtree(self._exports_root, ignore_errors=True)
        self._clones_root.mkdir(parents=True, exist_ok=True)
        self._exports_root.mkdir(parents=True, exist_ok=True)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for spending in list(self._fetching):
            spending.stop()
        self._network.shutdown(wait=False, cancel_futures=True)
        self._disk.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        for repository in self._repositories.values():
            repository.clone.close()

    async def fetch(self, access: RepositoryAccess, revisions: Sequence[str]) -> dict[str, str | GitError]:
        """Bring the revisions here; return the commit that each names now, or why there is none.

        One conversation with the server, whatever the number of revisions, and none at all for commits that are named in full and
        are here. Raises GitError if the repository as a whole can't be had. Cancelling ends the fetch at its next byte.
        """
        repository = self._repository(access.url)
        async with repository.fetching:
            heads = await self._on_network(repository.clone, access, list(dict.fromkeys(revisions)))
        return {
            revision: head.decode() if isinstance(head, bytes) else head for revision, head in heads.items()
        }

    async def _on_network(self, clone: Clone, access: RepositoryAccess, revisions: list[str]) -> Heads:
        spending = Spending(access.url, await asyncio.to_thread(self._affordable, access.url))
        fetch = functools.partial(self._fetch, clone, access, revisions, spending)
        self._fetching.add(spending)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._network, fetch)
        except asyncio.CancelledError:
            spending.stop()
            raise
        finally:
            self._fetching.discard(spending)

    def _affordable(self, url: str) -> FetchLimits:
        """Return what a fetch may take, so that the disk does not become full of it: a pack lies there twice for a moment."""
        if not self._keeps_free_bytes:
            return self._fetch_limits
        left_bytes = shutil.disk_usage(self._clones_root).free - self._keeps_free_bytes
        if left_bytes <= 0:
            kept = self._keeps_free_bytes // MIB
            raise RepositoryUnavailable(
                url, f"the disk is nearly full, and its last {kept} MiB are kept free"
            )
        most_bytes = min(self._fetch_limits.max_received_bytes, left_bytes // 2)
        return dataclasses.replace(self._fetch_limits, max_received_bytes=most_bytes)

    async def retain(self, urls: Sequence[str]) -> None:
        """Remove the clones of all other repositories from the disk. A URL that is none names no clone."""
        wanted: set[str] = set()
        for url in urls:
            with contextlib.suppress(AddressRefused):
                wanted.add(parse_address(url).canonical)
        for canonical in self._repositories.keys() - wanted:
            repository = self._repositories[canonical]
            async with repository.fetching, repository.reading:
                del self._repositories[canonical]
                await self._on_disk(repository.clone.remove)
        kept = {clone_key(canonical) for canonical in wanted}
        await self._on_disk(lambda: self._remove_clones_but(kept))

    def _remove_clones_but(self, kept: set[str]) -> None:
        for folder in self._clones_root.iterdir():
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    async def fingerprint(self, url: str, commit: str, source: ApplicationSource) -> Fingerprint:
        """Return the digest of what `source` reads at `commit`; PathNotFound if its path is not there."""
        found = (await self.fingerprints(url, commit, [source]))[0]
        if isinstance(found, GitError):
            raise found
        return found

    async def fingerprints(
        self, url: str, commit: str, sources: Sequence[ApplicationSource]
    ) -> list[Fingerprint | GitError]:
        """Return the fingerprint of each of many sources, or why it has none: one passage for all of a repository's sources."""
        repository = self._repository(url)
        async with repository.reading:
            return await self._on_disk(lambda: self._fingerprints(repository.clone, commit, sources))

    async def files_digest(self, url: str, commit: str, files: Sequence[str]) -> str:
        """Return a digest of what another source reads here: files by paths and patterns from the root. Those missing don't count."""
        repository = self._repository(url)

        def work() -> str:
            with repository.clone.reader() as generation:
                return digest(contents(generation.reach.files(generation.trees.root(commit), files)))

        async with repository.reading:
            return await self._on_disk(work)

    async def read(self, url: str, commit: str, path: str, max_bytes: int) -> bytes:
        """Return a file's content; RenderError if it is no file, or larger than it may be."""
        repository = self._repository(url)

        def work() -> bytes:
            with repository.clone.reader() as generation:
                return _content(generation, commit, path, max_bytes)

        async with repository.reading:
            return await self._on_disk(work)

    async def write(
        self, url: str, commit: str, source: ApplicationSource, folder: Path
    ) -> tuple[str, SourceKind]:
        """Write what `source` reads at `commit` to an empty folder; return the path of the source's own folder in it, and its kind.

        RenderError names what can't be exported.
        """
        repository = self._repository(url)
        async with repository.reading:
            return await self._on_disk(lambda: self._export(repository.clone, commit, source, folder))

    async def write_files(self, url: str, commit: str, files: Sequence[str], folder: Path) -> None:
        """Write what another source reads here to an empty folder; what is missing is left out."""
        repository = self._repository(url)

        def work() -> None:
            with repository.clone.reader() as generation:
                root = generation.trees.root(commit)
                reach = generation.reach.files(root, files)
                Exporter(generation.trees, root, reach, self._export_limits).write(folder)

        async with repository.reading:
            await self._on_disk(work)

    @contextlib.asynccontextmanager
    async def export(self, url: str, commit: str, source: ApplicationSource) -> AsyncIterator[Export]:
        """Hold a folder with what `source` reads at `commit`; it is gone afterwards. RenderError names what can't be exported."""
        async with self.folder() as folder:
            root = folder / SOURCE_FOLDER
            await asyncio.to_thread(root.mkdir)
            path, kind = await self.write(url, commit, source, root)
            yield Export(folder, path, kind, f"{parse_address(url).canonical}#{source.folder}")

    @contextlib.asynccontextmanager
    async def folder(self) -> AsyncIterator[Path]:
        """Hold an empty folder for an export; it is gone afterwards."""
        folder = Path(await self._on_disk(lambda: tempfile.mkdtemp(dir=self._exports_root)))
        try:
            yield folder
        finally:
            await asyncio.shield(self._on_disk(lambda: shutil.rmtree(folder, ignore_errors=True)))

    async def _on_disk(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._disk, work)

    def _repository(self, url: str) -> _Repository:
        canonical = parse_address(url).canonical
        if canonical not in self._repositories:
            self._repositories[canonical] = _Repository(Clone(self._clones_root, url, canonical))
        return self._repositories[canonical]

    def _fetch(
        self, clone: Clone, access: RepositoryAccess, revisions: list[str], spending: Spending
    ) -> Heads:
        remote = Remote(access, self._policy, spending)
        # A fetch that was cancelled may not have ended yet.
        if not clone.writing.acquire(timeout=self._fetch_limits.total_timeout_s):
            raise RepositoryUnavailable(access.url, "another fetch of it does not end")
        try:
            return self._fetch_alone(clone, remote, access, revisions)
        finally:
            clone.writing.release()

    def _fetch_alone(
        self, clone: Clone, remote: Remote, access: RepositoryAccess, revisions: list[str]
    ) -> Heads:
        with contextlib.closing(clone.open_for_writing()) as generation:
            try:
                if generation.packs() < PACKS_MAX:
                    return remote.fetch(generation, revisions)
            except UnreadableAnswer as error:
                if generation.is_sound():
                    raise _unreadable(access, error) from None
                clone.set_aside()
        return self._fetch_afresh(clone, remote, access, revisions)

    def _fetch_afresh(
        self, clone: Clone, remote: Remote, access: RepositoryAccess, revisions: list[str]
    ) -> Heads:
        with contextlib.closing(clone.begin_beside()) as fresh:
            try:
                heads = remote.fetch(fresh, revisions)
            except UnreadableAnswer as error:
                raise _unreadable(access, error) from None
        clone.switch_to(fresh)
        return heads

    def _fingerprints(
        self, clone: Clone, commit: str, sources: Sequence[ApplicationSource]
    ) -> list[Fingerprint | GitError]:
        found: list[Fingerprint | GitError] = []
        with clone.reader() as generation:
            root = generation.trees.root(commit)
            for source in sources:
                found.append(generation.fingerprints.find(root, source))
        return found

    def _export(
        self, clone: Clone, commit: str, source: ApplicationSource, folder: Path
    ) -> tuple[str, SourceKind]:
        with clone.reader() as generation:
            root = generation.trees.root(commit)
            reach = generation.reach.find(root, source)
            Exporter(generation.trees, root, reach, self._export_limits).write(folder)
        # A folder without manifests has left nothing behind, and is rendered to nothing.
        (folder / reach.path).mkdir(parents=True, exist_ok=True)
        return reach.path, reach.kind


def _content(generation: Generation, commit: str, path: str, max_bytes: int) -> bytes:
    try:
        found = follow(
            generation.trees, generation.trees.root(commit), path.encode("utf-8", "surrogateescape")
        )
    except LinkRefused as refused:
        raise RenderError("export", refused.reason, file=path) from None
    if not found.entry.is_file:
        raise RenderError("export", "is no file", file=path)
    data = generation.trees.blob(found.entry.object_id)
    if len(data) > max_bytes:
        raise RenderError("export", f"has {len(data)} bytes, more than the {max_bytes} allowed", file=path)
    return data


def _unreadable(access: RepositoryAccess, error: UnreadableAnswer) -> RepositoryUnavailable:
    return RepositoryUnavailable(access.url, f"the server sent what can't be read ({error})")
