"""Repositories made for tests, without a work tree: a dict of files becomes a commit."""

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dulwich.objects import Blob, Commit, ObjectID, Tag, Tree
from dulwich.refs import Ref
from dulwich.repo import Repo

REGULAR, LINK, SUBMODULE = 0o100644, stat.S_IFLNK, 0o160000


@dataclass(frozen=True)
class Link:
    """A symbolic link, as the value of a file."""

    target: str


@dataclass(frozen=True)
class Submodule:
    """A commit of another repository, as the value of a file."""

    commit: bytes = b"1" * 40


Files = Mapping[str, "str | bytes | Link | Submodule | Files"]


class Repository:
    """A bare repository on disk, whose branches are moved by `commit`."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True)
        self.path = path
        self.repo = Repo.init_bare(str(path), default_branch=b"main")
        self._clock = 1_700_000_000
        self._written: set[bytes] = set()

    @property
    def url(self) -> str:
        return f"file://{self.path}"

    def commit(self, files: Files, branch: str = "main") -> str:
        """Make `files` the whole content of the branch's next commit, and return its id."""
        ref = Ref(f"refs/heads/{branch}".encode())
        commit = Commit()
        commit.tree = self._tree(files)
        commit.parents = [self.repo.refs[ref]] if ref in self.repo.refs else []
        commit.author = commit.committer = b"Test <test@example.com>"
        self._clock += 60
        commit.author_time = commit.commit_time = self._clock
        commit.author_timezone = commit.commit_timezone = 0
        commit.message = b"a commit"
        self.repo.object_store.add_object(commit)
        self.repo.refs[ref] = commit.id
        return commit.id.decode()

    def tag(self, name: str, commit: str, *, annotated: bool = False) -> str:
        """Tag a commit, and return the tag's object id."""
        object_id = ObjectID(commit.encode())
        if annotated:
            tag = Tag()
            tag.name, tag.message = name.encode(), b"a tag"
            tag.tagger, tag.tag_time, tag.tag_timezone = b"Test <test@example.com>", self._clock, 0
            tag.object = (Commit, object_id)
            self.repo.object_store.add_object(tag)
            object_id = tag.id
        self.repo.refs[Ref(f"refs/tags/{name}".encode())] = object_id
        return object_id.decode()

    def _tree(self, files: Files) -> ObjectID:
        tree = Tree()
        for path, content in _nested(files).items():
            name = path.encode("utf-8", "surrogateescape")
            if isinstance(content, Mapping):
                tree.add(name, stat.S_IFDIR, self._tree(content))
            elif isinstance(content, Submodule):
                tree.add(name, SUBMODULE, ObjectID(content.commit))
            else:
                link = isinstance(content, Link)
                text = content.target if isinstance(content, Link) else content
                blob = Blob.from_string(text.encode() if isinstance(text, str) else text)
                if blob.id not in self._written:
                    self._written.add(blob.id)
                    self.repo.object_store.add_object(blob)
                tree.add(name, LINK if link else REGULAR, blob.id)
        self.repo.object_store.add_object(tree)
        return tree.id


def _nested(files: Files) -> Files:
    """Turn `{"a/b": ...}` into `{"a": {"b": ...}}`."""
    nested: dict[str, object] = {}
    for path, content in files.items():
        folder = nested
        *parents, name = path.split("/")
        for parent in parents:
            below = folder.setdefault(parent, {})
            assert isinstance(below, dict)
            folder = below
        folder[name] = content
    return nested  # type: ignore[return-value]


def manifest(name: str, kind: str = "ConfigMap", **fields: object) -> str:
    """Return a manifest as YAML (JSON, that is)."""
    import json

    return json.dumps({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **fields})
