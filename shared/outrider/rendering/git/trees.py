"""Look at the trees of a commit, by path, without reading what is not asked for. Trees are kept in memory, within a bound."""

import stat
import struct
import zlib
from collections import OrderedDict
from dataclasses import dataclass

from dulwich.errors import ApplyDeltaError, ChecksumMismatch, NotGitRepository, ObjectFormatException
from dulwich.object_store import BaseObjectStore
from dulwich.objects import Blob, Commit, ObjectID, ShaFile, Tree
from dulwich.pack import UnresolvedDeltas

from outrider.rendering.git.errors import RevisionNotFound

_CACHED_ENTRIES_MAX = 200_000
# About 40 MiB. Trees are immutable, so that what is kept never goes stale.
_GITLINK = 0o160000

DAMAGE = (
    AssertionError,
    ApplyDeltaError,
    ChecksumMismatch,
    EOFError,
    IndexError,
    KeyError,
    NotGitRepository,
    ObjectFormatException,
    OSError,
    UnresolvedDeltas,
    ValueError,
    struct.error,
    zlib.error,
)
# What dulwich raises on broken files; a clone that raises one of them is replaced, which is cheap and always right.


class Unreadable(Exception):
    """An object of the clone that ought to be there and can't be read."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a tree."""

    mode: int
    object_id: bytes

    @property
    def is_tree(self) -> bool:
        """A directory."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_link(self) -> bool:
        """A symbolic link."""
        return stat.S_ISLNK(self.mode)

    @property
    def is_file(self) -> bool:
        """A regular file."""
        return stat.S_ISREG(self.mode)

    @property
    def is_submodule(self) -> bool:
        """A commit of another repository."""
        return self.mode == _GITLINK


class Trees:
    """The trees and blobs of one clone. Not for use by two threads at once."""

    def __init__(self, store: BaseObjectStore) -> None:
        self._store = store
        self._cache: OrderedDict[bytes, dict[bytes, Entry]] = OrderedDict()
        self._cached_entries = 0

    def root(self, commit: str) -> Entry:
        """Return the root tree of a commit; RevisionNotFound if it was not fetched."""
        commit_id = ObjectID(commit.encode())
        if commit_id not in self._store:
            raise RevisionNotFound(commit, reason="has not been fetched")
        found = self._read(commit_id)
        if not isinstance(found, Commit):
            raise RevisionNotFound(commit, reason="names no commit")
        return Entry(stat.S_IFDIR, bytes(found.tree))

    def entries(self, tree_id: bytes) -> dict[bytes, Entry]:
        """Return what a tree holds, by name."""
        cached = self._cache.get(tree_id)
        if cached is not None:
            self._cache.move_to_end(tree_id)
            return cached
        tree = self._read(tree_id)
        if not isinstance(tree, Tree):
            raise Unreadable(f"tree {tree_id.decode()} is no tree")
        entries = {bytes(item.path): Entry(item.mode, bytes(item.sha)) for item in tree.iteritems()}
        self._cache[tree_id] = entries
        self._cached_entries += len(entries)
        while self._cached_entries > _CACHED_ENTRIES_MAX and len(self._cache) > 1:
            self._cached_entries -= len(self._cache.popitem(last=False)[1])
        return entries

    def lookup(self, root: Entry, path: str) -> Entry | None:
        """Return what lies at a path below `root` ("." is `root` itself), or None. Links are not followed."""
        entry = root
        for part in path.encode("utf-8", "surrogateescape").split(b"/"):
            if part == b".":
                continue
            if not entry.is_tree:
                return None
            found = self.entries(entry.object_id).get(part)
            if found is None:
                return None
            entry = found
        return entry

    def blob(self, object_id: bytes) -> bytes:
        """Return the content of a file, or the target of a link."""
        blob = self._read(object_id)
        if not isinstance(blob, Blob):
            raise Unreadable(f"file {object_id.decode()} is no file")
        return blob.data

    def _read(self, object_id: bytes) -> ShaFile:
        try:
            return self._store[ObjectID(object_id)]
        except DAMAGE as error:
            raise Unreadable(f"object {object_id.decode()}: {type(error).__name__}") from error
