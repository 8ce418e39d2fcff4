"""The bare clone of one repository on disk.

A clone lies in a folder of its own, as numbered generations of which the highest is in use. A generation that can't be read, or
that has gathered too many packs, is replaced by the next; a damaged one is kept beside it (one of them, for a person to look at).
One thread writes at a time (`writing`), and one reads (`reading`); they don't exclude each other, since Git's files only ever
appear whole.
"""

import contextlib
import hashlib
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from dulwich.objects import Commit, ObjectID, Tag
from dulwich.refs import Ref
from dulwich.repo import Repo

from outrider.rendering.git.errors import CloneDamaged, RepositoryUnavailable, RevisionNotFound
from outrider.rendering.git.memory import FingerprintMemory
from outrider.rendering.git.reach import ReachFinder
from outrider.rendering.git.trees import DAMAGE, Trees, Unreadable

PACKS_MAX = 40
# Each fetch leaves a pack, and each look-up may ask every pack; a fresh shallow clone is one pack.
_HEADS_MAX = 64
_TAG_CHAIN_MAX = 10
_HEADS_PREFIX = "refs/heads/outrider/"


def clone_key(canonical_url: str) -> str:
    """Return the name of the folder of a repository's clone."""
    return hashlib.sha256(canonical_url.encode()).hexdigest()[:40]


class Generation:
    """One bare repository on disk, opened by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.repo = Repo(str(path))
        self.trees = Trees(self.repo.object_store)
        self.reach = ReachFinder(self.trees)
        self.fingerprints = FingerprintMemory(self.trees, self.reach)

    @classmethod
    def create(cls, path: Path) -> "Generation":
        """Make an empty one."""
        path.mkdir(parents=True)
        Repo.init_bare(str(path)).close()
        return cls(path)

    def close(self) -> None:
        """Close its files."""
        self.repo.close()

    def packs(self) -> int:
        """Return how many packs it has gathered."""
        return sum(1 for _ in (self.path / "objects" / "pack").glob("*.pack"))

    def has(self, object_id: bytes) -> bool:
        """Tell whether the object, and so all that was fetched with it, is here."""
        return ObjectID(object_id) in self.repo.object_store

    def commit_of(self, object_id: bytes, revision: str) -> bytes:
        """Return the commit that an object id stands for, through annotated tags; RevisionNotFound if it is no commit."""
        for _ in range(_TAG_CHAIN_MAX):
            found = self.repo.object_store[ObjectID(object_id)]
            if isinstance(found, Commit):
                return bytes(found.id)
            if not isinstance(found, Tag):
                break
            object_id = bytes(found.object[1])
        raise RevisionNotFound(revision, reason="names no commit")

    def abbreviated(self, prefix: str) -> set[bytes]:
        """Return the commits here whose id begins with `prefix`."""
        store = self.repo.object_store
        return {
            bytes(found) for found in store.iter_prefix(prefix.encode()) if isinstance(store[found], Commit)
        }

    def heads(self) -> list[ObjectID]:
        """Return the commits that earlier fetches brought: what a server needs not send again."""
        refs = self.repo.refs.as_dict(Ref(_HEADS_PREFIX.rstrip("/").encode()))
        return [head for head in refs.values() if head in self.repo.object_store]

    def remember(self, commits: set[bytes]) -> None:
        """Keep commits as heads, besides the latest of those before."""
        for commit in commits:
            self.repo.refs[Ref(f"{_HEADS_PREFIX}{commit.decode()}".encode())] = ObjectID(commit)
        base = Ref(_HEADS_PREFIX.rstrip("/").encode())
        surplus = [name for name, head in self.repo.refs.as_dict(base).items() if bytes(head) not in commits]
        for name in surplus[: max(0, len(surplus) + len(commits) - _HEADS_MAX)]:
            self.repo.refs.remove_if_equals(Ref(_HEADS_PREFIX.encode() + name), None)

    def is_sound(self) -> bool:
        """Read every pack and tell whether all of it can be read."""
        try:
            for pack in self.repo.object_store.packs:
                pack.check()
        except DAMAGE:
            return False
        return True


class Clone:
    """All generations of one repository's clone. Constructing it does no I/O."""

    def __init__(self, root: Path, url: str, canonical_url: str) -> None:
        self.url, self.canonical_url = url, canonical_url
        self._folder = root / clone_key(canonical_url)
        self._reader: Generation | None = None
        self.writing = threading.Lock()
        self.reading = threading.RLock()

    def _numbers(self) -> list[int]:
        if not self._folder.is_dir():
            return []
        return sorted(int(path.name) for path in self._folder.iterdir() if path.name.isdigit())

    def open_for_writing(self) -> Generation:
        """Return the generation in use, opened once more, or a first, empty one. The caller holds `writing` and closes it."""
        numbers = self._numbers()
        if not numbers:
            return self.begin()
        path = self._folder / str(numbers[-1])
        try:
            for leftover in (path / "objects").glob("tmp_pack_*"):
                leftover.unlink()
            return Generation(path)
        except DAMAGE:
            self.set_aside()
            return self.begin()

    def begin(self) -> Generation:
        """Return a new, empty generation, in use from now on: the highest number is."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "url").write_text(self.canonical_url + "\n")
        return Generation.create(self._folder / str(self._next_number()))

    def _next_number(self) -> int:
        used = [int(path.name.partition(".")[0]) for path in self._folder.iterdir() if path.name[0].isdigit()]
        return max(used, default=0) + 1

    def begin_beside(self) -> Generation:
        """Return a new, empty generation that is not in use until `switch_to` puts it there."""
        path = self._folder / "next"
        shutil.rmtree(path, ignore_errors=True)
        return Generation.create(path)

    def switch_to(self, generation: Generation) -> None:
        """Use a generation made beside the others, and closed, from now on; remove those before it."""
        with self.reading:
            self._close_reader()
            old = self._numbers()
            generation.path.rename(self._folder / str(self._next_number()))
            for number in old:
                shutil.rmtree(self._folder / str(number), ignore_errors=True)

    def set_aside(self) -> None:
        """Put the generation in use out of use, keeping it (and none before it) for a person to look at."""
        with self.reading:
            self._close_reader()
            for path in self._folder.glob("*.damaged"):
                shutil.rmtree(path, ignore_errors=True)
            for number in self._numbers():
                (self._folder / str(number)).rename(self._folder / f"{number}.damaged")

    @contextlib.contextmanager
    def reader(self) -> Iterator[Generation]:
        """Hold the generation in use for reading; CloneDamaged, and it is set aside, if it turns out not to be readable."""
        with self.reading:
            try:
                if self._reader is None:
                    self._reader = self._open_for_reading()
                yield self._reader
            except Unreadable as error:
                self.set_aside()
                raise CloneDamaged(self.url, str(error)) from error

    def _open_for_reading(self) -> Generation:
        numbers = self._numbers()
        if not numbers:
            raise RepositoryUnavailable(self.url, "has not been fetched yet")
        try:
            return Generation(self._folder / str(numbers[-1]))
        except DAMAGE as error:
            raise Unreadable(type(error).__name__) from error

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def close(self) -> None:
        """Close its files."""
        with self.reading:
            self._close_reader()

    def remove(self) -> None:
        """Remove all of it from the disk."""
        with self.writing, self.reading:
            self._close_reader()
            shutil.rmtree(self._folder, ignore_errors=True)
