"""Follow symbolic links inside a commit, component by component, as a kernel would, and never out of the repository."""

from collections import OrderedDict
from dataclasses import dataclass

from outrider.rendering.git.trees import Entry, Trees

_HOPS_MAX = 40
# As many as Linux follows.
_TARGET_MAX_BYTES = 4096
_LISTED_MAX = 10_000
# Of one tree. More is an attack: each would be followed.
_DEPTH_MAX = 100
_CACHED_TREES_MAX = 200_000

JSONNET = b".jsonnet"

MISSING = "is a link to something that does not exist"
CIRCLE = "is a link that leads back to itself"
OUTSIDE = "is a link that leaves the repository; put a copy of the file in its place"


class LinkRefused(Exception):
    """A link that stands for no file or folder of the repository; `seen` are the places that decide of it."""

    def __init__(self, reason: str, seen: tuple[bytes, ...] = ()) -> None:
        self.reason, self.seen = reason, seen
        super().__init__(reason)


@dataclass(frozen=True)
class Followed:
    """What a path stands for: where it lies in truth, and the links on the way."""

    path: bytes
    entry: Entry
    links: tuple[bytes, ...]


def follow(trees: Trees, root: Entry, path: bytes) -> Followed:
    """Return what a path stands for, all its links followed; LinkRefused if it is nothing in the repository."""
    done: list[bytes] = []
    entries = [root]
    waiting = path.split(b"/")
    links: list[bytes] = []
    while waiting:
        part = waiting.pop(0)
        if part in {b"", b"."}:
            continue
        if part == b"..":
            if not done:
                raise LinkRefused(OUTSIDE, tuple(links))
            done.pop()
            entries.pop()
            continue
        here = entries[-1]
        found = trees.entries(here.object_id).get(part) if here.is_tree else None
        if found is None or found.is_submodule:
            raise LinkRefused(MISSING, (*links, b"/".join([*done, part])))
        if found.is_link:
            links.append(b"/".join([*done, part]))
            waiting = _target(trees, found, tuple(links)) + waiting
        else:
            done.append(part)
            entries.append(found)
    return Followed(b"/".join(done), entries[-1], tuple(links))


def _target(trees: Trees, link: Entry, links: tuple[bytes, ...]) -> list[bytes]:
    if len(links) > _HOPS_MAX:
        raise LinkRefused(CIRCLE, links)
    target = trees.blob(link.object_id)
    if target.startswith(b"/") or b"\0" in target or len(target) > _TARGET_MAX_BYTES:
        raise LinkRefused(OUTSIDE, links)
    parts = target.split(b"/")
    if any(part.lower() == b".git" for part in parts):
        raise LinkRefused(OUTSIDE, links)
    return parts


@dataclass(frozen=True)
class Below:
    """What of a tree, at any depth, has to be looked at one by one: its links and its Jsonnet files, by their path from it."""

    links: tuple[bytes, ...]
    jsonnet: tuple[bytes, ...]


class Inventory:
    """What lies below each tree; remembered by the tree's id, so that nothing goes stale."""

    def __init__(self, trees: Trees) -> None:
        self._trees = trees
        self._known: OrderedDict[bytes, Below] = OrderedDict()

    def below(self, tree_id: bytes, depth: int = 0) -> Below:
        """Return what is below a tree, up to a bound."""
        known = self._known.get(tree_id)
        if known is not None:
            return known
        links: list[bytes] = []
        jsonnet: list[bytes] = []
        for name, entry in self._trees.entries(tree_id).items():
            if entry.is_link:
                links.append(name)
            elif entry.is_file and name.endswith(JSONNET):
                jsonnet.append(name)
            elif entry.is_tree and depth < _DEPTH_MAX:
                inner = self.below(entry.object_id, depth + 1)
                links += [name + b"/" + path for path in inner.links]
                jsonnet += [name + b"/" + path for path in inner.jsonnet]
        found = Below(tuple(links[:_LISTED_MAX]), tuple(jsonnet[:_LISTED_MAX]))
        self._known[tree_id] = found
        if len(self._known) > _CACHED_TREES_MAX:
            self._known.popitem(last=False)
        return found
