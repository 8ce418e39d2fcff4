"""What of a repository a source reads: the trees and files that its rendering can see, and nothing else can change it.

For a directory that is its manifests and what its Jsonnet imports; for a chart its folder, the value files beside it and the local
charts it depends on; for a kustomization its folder and whatever it, or a base of it, names by `../`. What a link among them
points to belongs to it, wherever in the repository it lies. `watched` holds every path that was looked at, found or not: a commit
that touches none of them leaves the reach as it is.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from outrider.rendering.doublestar import InvalidPattern, compile_pattern, fixed_folder, is_pattern
from outrider.rendering.git.errors import PathNotFound
from outrider.rendering.git.links import Followed, Inventory, LinkRefused, follow
from outrider.rendering.git.references import References
from outrider.rendering.git.trees import Entry, Trees
from outrider.spec.references import referred_source
from outrider.spec.source import ApplicationSource, SourceKind, repository_path

KUSTOMIZATION_FILES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
CHART_FILE = "Chart.yaml"
MANIFEST_FILE = re.compile(r".*\.(yaml|yml|json|jsonnet)", re.DOTALL)
OVERRIDES = re.compile(r"\.argocd-source(-.+)?\.yaml", re.DOTALL)

_FOLDERS_MAX = 1000
_MATCHES_MAX = 20_000


@dataclass
class Reach:
    """The parts of a commit that a source reads: paths from the repository's root, with what lies there."""

    kind: SourceKind
    folder: Entry
    path: str
    # Where the folder lies in truth, links followed.
    parts: dict[str, Entry] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    # Path that is read -> path inside a part: what is reached through a link, and local charts that are missing in `charts/`.
    overrides: tuple[str, ...] = ()
    # Files in the folder that change the source's options, by name.
    watched: set[str] = field(default_factory=set)

    def covers(self, path: str) -> bool:
        """Tell whether a path is inside one of the parts."""
        if path in self.parts or "." in self.parts:
            return True
        return any(path[:index] in self.parts for index, char in enumerate(path) if char == "/")


def detect(source: ApplicationSource, names: Iterable[bytes]) -> SourceKind:
    """Return the tool that renders a source: the one it names, else by what its folder holds.

    Where a folder holds both, Argo CD takes the kustomization: it looks at the names in order, and the last one counts.
    """
    if source.explicit_kind is not None:
        return source.explicit_kind
    present = set(names)
    if any(name.encode() in present for name in KUSTOMIZATION_FILES):
        return SourceKind.KUSTOMIZE
    return SourceKind.HELM if CHART_FILE.encode() in present else SourceKind.DIRECTORY


class ReachFinder:
    """Finds the reach of sources of one clone; remembers what it scanned by object id, so that nothing goes stale."""

    def __init__(self, trees: Trees) -> None:
        self._trees = trees
        self._references = References(trees)
        self._inventory = Inventory(trees)

    def find(self, root: Entry, source: ApplicationSource) -> Reach:
        """Return what the source reads of a commit's root tree; PathNotFound if its folder is not there.

        Value files of other sources are left out: see `files`.
        """
        try:
            folder = follow(self._trees, root, _encoded(source.folder))
        except LinkRefused:
            raise PathNotFound(source.folder, "does not exist in the repository") from None
        if not folder.entry.is_tree:
            raise PathNotFound(source.folder, "is no folder")
        names = self._trees.entries(folder.entry.object_id)
        reach = Reach(detect(source, names), folder.entry, _decoded(folder.path))
        reach.overrides = tuple(sorted(name for name in map(_decoded, names) if OVERRIDES.fullmatch(name)))
        _watch(reach, source.folder, folder)
        match reach.kind:
            case SourceKind.DIRECTORY:
                self._directory(reach, root, source)
            case SourceKind.HELM:
                self._chart(reach, root, source)
            case SourceKind.KUSTOMIZE:
                self._kustomization(reach, root, source)
        self._leave_out_overrides(reach)
        self._follow_links(reach, root)
        return reach

    def files(self, root: Entry, wanted: Iterable[str]) -> Reach:
        """Return what another source reads by `$ref/path`: files, by paths or patterns from the root. What is missing is left out."""
        reach = Reach(SourceKind.DIRECTORY, root, ".")
        for text in wanted:
            self._file(reach, root, ".", f"/{text.lstrip('/')}")
        self._follow_links(reach, root)
        return reach

    def _directory(self, reach: Reach, root: Entry, source: ApplicationSource) -> None:
        options = source.directory
        if options and options.recurse:
            reach.parts[reach.path] = reach.folder
        else:
            every_name = bool(options and options.disable_extension_filter)
            for name, entry in self._listing(reach.folder):
                if every_name or MANIFEST_FILE.fullmatch(name):
                    reach.parts[_join(reach.path, name)] = entry
        self._imports(reach, root, list(options.jsonnet.libs) if options else [])

    def _listing(self, folder: Entry) -> Iterator[tuple[str, Entry]]:
        for name, entry in self._trees.entries(folder.object_id).items():
            if entry.is_file or entry.is_link:
                yield _decoded(name), entry

    def _imports(self, reach: Reach, root: Entry, libraries: list[str]) -> None:
        """Take in what Jsonnet files import: from beside themselves, the libraries (the last one first) and the source's folder."""
        waiting: list[str] = []
        for path, entry in list(reach.parts.items()):
            if entry.is_tree:
                waiting += [
                    _join(path, _decoded(name)) for name in self._inventory.below(entry.object_id).jsonnet
                ]
            elif path.endswith(".jsonnet"):
                waiting.append(path)
        seen: set[str] = set()
        while waiting and len(seen) < _MATCHES_MAX:
            path = waiting.pop()
            if path in seen:
                continue
            seen.add(path)
            places = [posixpath.dirname(path) or ".", *reversed(libraries), reach.path]
            for text in self._references.imports(self._trees.lookup(root, path)):
                found = next(
                    (
                        one
                        for place in places
                        if (one := self._add(reach, root, _inside(place, text))) and one[1].is_file
                    ),
                    None,
                )
                if found is not None:
                    waiting.append(found[0])

    def _chart(self, reach: Reach, root: Entry, source: ApplicationSource) -> None:
        reach.parts[reach.path] = reach.folder
        for file in source.helm.files if source.helm else []:
            if referred_source(file) is None:
                self._file(reach, root, reach.path, file)
        chart_file = self._trees.entries(reach.folder.object_id).get(CHART_FILE.encode())
        for word in self._references.words(chart_file):
            if word.startswith("file://"):
                self._dependency(reach, root, word.removeprefix("file://"))

    def _file(self, reach: Reach, root: Entry, folder: str, text: str) -> None:
        path = _inside(folder, text)
        if path is None:
            return
        if not is_pattern(path):
            self._add(reach, root, path)
            return
        try:
            pattern = compile_pattern(path)
        except InvalidPattern:
            # Named by the worker.
            return
        top = fixed_folder(path)
        reach.watched.add(top)
        entry = self._trees.lookup(root, top)
        if entry is not None and entry.is_tree:
            for found in self._paths(entry, top):
                if pattern.fullmatch(found):
                    self._add(reach, root, found)

    def _paths(self, tree: Entry, path: str) -> Iterator[str]:
        """Yield the files and links below a tree."""
        waiting = [(path, tree)]
        count = 0
        while waiting and count < _MATCHES_MAX:
            path, tree = waiting.pop()
            for name, entry in self._trees.entries(tree.object_id).items():
                count += 1
                below = _join(path, _decoded(name))
                if entry.is_tree:
                    waiting.append((below, entry))
                elif not entry.is_submodule:
                    yield below

    def _dependency(self, reach: Reach, root: Entry, target: str) -> None:
        """Take in a chart that another one depends on by its place in the repository, as `helm dependency build` would."""
        found = self._add(reach, root, _inside(reach.path, target))
        if found is None or not found[1].is_tree:
            return
        vendored = f"{_join(reach.path, 'charts')}/{posixpath.basename(found[0])}"
        if self._trees.lookup(root, vendored) is None:
            reach.aliases[vendored] = found[0]

    def _kustomization(self, reach: Reach, root: Entry, source: ApplicationSource) -> None:
        reach.parts[reach.path] = reach.folder
        options = source.kustomize
        named = [*options.components, *(patch.path for patch in options.patches)] if options else []
        waiting = [reach.path, *self._referred(reach, root, reach.path, named)]
        seen: set[str] = set()
        while waiting and len(seen) < _FOLDERS_MAX:
            folder = waiting.pop()
            if folder not in seen:
                seen.add(folder)
                entry = self._trees.lookup(root, folder)
                if entry is not None and entry.is_tree:
                    waiting += self._referred(reach, root, folder, self._kustomization_words(entry))

    def _kustomization_words(self, folder: Entry) -> Iterator[str]:
        entries = self._trees.entries(folder.object_id)
        for name in KUSTOMIZATION_FILES:
            yield from self._references.words(entries.get(name.encode()))

    def _referred(self, reach: Reach, root: Entry, folder: str, words: Iterable[str]) -> list[str]:
        """Take in what the words name, if it exists; return the folders among it."""
        folders = []
        for word in words:
            path = _inside(folder, word)
            # Kustomize takes no folder that holds the one that names it, so that such a word is no reference.
            if path is not None and path != "." and not f"{folder}/".startswith(f"{path}/"):
                found = self._add(reach, root, path)
                if found is not None and found[1].is_tree:
                    folders.append(found[0])
        return folders

    def _add(self, reach: Reach, root: Entry, path: str | None) -> tuple[str, Entry] | None:
        """Take in what a path names; return where it lies in truth, and what it is. None if it is nothing."""
        if path is None:
            return None
        reach.watched.add(path)
        try:
            found = follow(self._trees, root, _encoded(path))
        except LinkRefused as refused:
            reach.watched.update(map(_decoded, refused.seen))
            return None
        _watch(reach, path, found)
        real = _decoded(found.path)
        if real != path and not reach.covers(path):
            reach.aliases[path] = real
        _put(reach, real, found.entry)
        return real, found.entry

    def _leave_out_overrides(self, reach: Reach) -> None:
        """Take the folder's children in its place where it holds overrides: those of one application are not another's content."""
        if not reach.overrides:
            return
        for name in reach.overrides:
            reach.parts.pop(_join(reach.path, name), None)
        if reach.parts.pop(reach.path, None) is not None:
            for raw, entry in self._trees.entries(reach.folder.object_id).items():
                if _decoded(raw) not in reach.overrides and not entry.is_submodule:
                    reach.parts[_join(reach.path, _decoded(raw))] = entry

    def _follow_links(self, reach: Reach, root: Entry) -> None:
        """Take in what links point to, and the links there. One that can't be followed is refused when it is exported."""
        waiting = list(reach.parts.items())
        while waiting and len(reach.parts) < _MATCHES_MAX:
            path, entry = waiting.pop()
            links = [path] if entry.is_link else []
            if entry.is_tree:
                links = [_join(path, _decoded(link)) for link in self._inventory.below(entry.object_id).links]
            for link in links:
                try:
                    found = follow(self._trees, root, _encoded(link))
                except LinkRefused as refused:
                    reach.watched.update(map(_decoded, refused.seen))
                    continue
                _watch(reach, link, found)
                real = _decoded(found.path)
                if real != "." and not f"{link}/".startswith(f"{real}/") and not reach.covers(real):
                    _put(reach, real, found.entry)
                    waiting.append((real, found.entry))


def _watch(reach: Reach, path: str, found: Followed) -> None:
    reach.watched.add(path)
    reach.watched.add(_decoded(found.path))
    reach.watched.update(map(_decoded, found.links))


def _put(reach: Reach, path: str, entry: Entry) -> None:
    if entry.is_submodule or reach.covers(path):
        return
    if entry.is_tree:
        for covered in [part for part in reach.parts if part.startswith(f"{path}/")]:
            del reach.parts[covered]
    reach.parts[path] = entry


def _inside(folder: str, text: str) -> str | None:
    """Return the path that `text` names from `folder`, None if it is none inside the repository."""
    if "://" in text:
        return None
    try:
        return repository_path(text, relative_to=folder)
    except ValueError:
        return None


def _join(folder: str, name: str) -> str:
    return name if folder == "." else f"{folder}/{name}"


def _encoded(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _decoded(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape") or "."
