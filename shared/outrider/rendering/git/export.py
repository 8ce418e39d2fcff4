"""Write what a source reads to a fresh folder: files and folders, no links, no modes, no submodules, nothing of Git.

A link is replaced by what it points to; one that leaves the repository is refused by name, as is one in a circle. Every file is created by its folder's descriptor and never through a link, so that nothing in the repository can make a
write land elsewhere. Files, bytes and depth are bounded before they are written.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from outrider.rendering.errors import RenderError
from outrider.rendering.git.bounds import MIB
from outrider.rendering.git.links import LinkRefused, follow
from outrider.rendering.git.reach import Reach
from outrider.rendering.git.trees import Entry, Trees

STAGE = "export"
_FORBIDDEN_NAMES = frozenset({b"", b".", b"..", b".git"})


@dataclass(frozen=True)
class ExportLimits:
    """How much of a repository one source may read."""

    max_files: int = 20_000
    max_bytes: int = 256 * MIB
    max_depth: int = 64


@dataclass
class _Spent:
    files: int = 0
    size_bytes: int = 0
    # The trees that are being written, outermost first, by id: a link to one of them is a circle.
    open_trees: list[bytes] = field(default_factory=list)


class Exporter:
    """Writes the parts of one commit."""

    def __init__(self, trees: Trees, root: Entry, reach: Reach, limits: ExportLimits) -> None:
        self._trees, self._root, self._reach, self._limits = trees, root, reach, limits
        self._spent = _Spent()

    def write(self, target: Path) -> None:
        """Write everything below `target`, an empty folder; RenderError names the file that can't be exported."""
        self._count()
        with _descriptor(target) as top:
            for path, entry in sorted(self._reach.parts.items()):
                self._part(top, path, path, entry)
            for alias, path in sorted(self._reach.aliases.items()):
                if not self._is_written(alias):
                    self._part(top, alias, path, self._reach.parts.get(path) or self._must_find(path))

    def _is_written(self, alias: str) -> bool:
        """Tell whether a part holds what lies at a path, so that it is there already."""
        if not self._reach.covers(alias):
            return False
        try:
            follow(self._trees, self._root, alias.encode("utf-8", "surrogateescape"))
        except LinkRefused:
            return False
        return True

    def _count(self) -> None:
        """Refuse what has too many files before the first is written. What links add is found while writing."""
        waiting = [entry for entry in self._reach.parts.values() if entry.is_tree]
        files = len(self._reach.parts) - len(waiting)
        while waiting and files + len(waiting) <= self._limits.max_files:
            entries = self._trees.entries(waiting.pop().object_id).values()
            folders = [entry for entry in entries if entry.is_tree]
            waiting += folders
            files += len(entries) - len(folders)
        if files + len(waiting) > self._limits.max_files:
            raise self._too_many(next(iter(self._reach.parts)))

    def _too_many(self, file: str) -> RenderError:
        return RenderError(STAGE, f"the source reads more than {self._limits.max_files} files", file=file)

    def _must_find(self, path: str) -> Entry:
        entry = self._trees.lookup(self._root, path)
        if entry is None:
            raise RenderError(STAGE, "has gone", file=path)
        return entry

    def _part(self, top: int, as_path: str, path: str, entry: Entry) -> None:
        parts = [] if as_path == "." else as_path.encode("utf-8", "surrogateescape").split(b"/")
        with contextlib.ExitStack() as opened:
            folder = top
            for part in parts[:-1]:
                self._check_name(part, as_path)
                folder = opened.enter_context(_subfolder(folder, part))
            source = path.encode("utf-8", "surrogateescape")
            if not parts:
                self._tree(top, entry, b"", 0)
            else:
                self._entry(folder, parts[-1], entry, source, len(parts) - 1)

    def _entry(self, folder: int, name: bytes, entry: Entry, path: bytes, depth: int) -> None:
        self._check_name(name, _shown(path))
        if entry.is_link:
            link = path
            path, entry = self._follow(link)
            if entry.is_tree and entry.object_id in self._spent.open_trees:
                raise RenderError(STAGE, "is a link to a folder that it lies in", file=_shown(link))
        if entry.is_tree:
            with _subfolder(folder, name) as inner:
                self._tree(inner, entry, path, depth + 1)
        elif entry.is_file:
            self._file(folder, name, entry, path)

    def _tree(self, folder: int, tree: Entry, path: bytes, depth: int) -> None:
        if depth > self._limits.max_depth:
            raise RenderError(
                STAGE, f"is nested deeper than {self._limits.max_depth} folders", file=_shown(path)[:200]
            )
        self._spent.open_trees.append(tree.object_id)
        for name, entry in self._trees.entries(tree.object_id).items():
            self._entry(folder, name, entry, path + b"/" + name if path not in {b"", b"."} else name, depth)
        self._spent.open_trees.pop()

    def _file(self, folder: int, name: bytes, entry: Entry, path: bytes) -> None:
        self._spent.files += 1
        if self._spent.files > self._limits.max_files:
            raise self._too_many(_shown(path))
        data = self._trees.blob(entry.object_id)
        self._spent.size_bytes += len(data)
        if self._spent.size_bytes > self._limits.max_bytes:
            limit = f"the source reads more than {self._limits.max_bytes // MIB} MiB"
            raise RenderError(STAGE, limit, file=_shown(path))
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with _as_render_error(path):
            descriptor = os.open(name, flags, 0o644, dir_fd=folder)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)

    def _follow(self, link: bytes) -> tuple[bytes, Entry]:
        try:
            found = follow(self._trees, self._root, link)
        except LinkRefused as refused:
            raise RenderError(STAGE, refused.reason, file=_shown(link)) from None
        if found.entry.is_tree and (found.path == b"" or link.startswith(found.path + b"/")):
            raise RenderError(STAGE, "is a link to a folder that it lies in", file=_shown(link))
        if not self._reach.covers(found.path.decode("utf-8", "surrogateescape") or "."):
            raise RenderError(STAGE, "is one of more links than are followed", file=_shown(link))
        return found.path, found.entry

    def _check_name(self, name: bytes, path: str) -> None:
        if name.lower() in _FORBIDDEN_NAMES or b"/" in name or b"\0" in name:
            raise RenderError(STAGE, "has a name that no file may have", file=path)


def _shown(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")


@contextlib.contextmanager
def _as_render_error(path: bytes) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RenderError(
            STAGE, f"can't be written: {error.strerror}", file=_shown(path), transient=True
        ) from None


@contextlib.contextmanager
def _descriptor(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _subfolder(parent: int, name: bytes) -> Iterator[int]:
    with _as_render_error(name):
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o755, dir_fd=parent)
        descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
