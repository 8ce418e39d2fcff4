"""What of a repository a source reads: the trees and files that its rendering can see, and nothing else can change it.

For a directory that is its manifests; for a chart its folder, the value files beside it and the local charts it depends on; for a
kustomization its folder and whatever it, or a base of it, names by `../`. Which those are is found without parsing YAML: files
from strangers are parsed in the worker alone. Every word of a kustomization that is the path of something in the repository
counts as a reference. Taking one too many costs a needless rendering; one that is written so oddly that it is not found (with
escapes, say) is missing in the worker, and refused there by name.
"""

import posixpath
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from outrider.rendering.git.errors import PathNotFound
from outrider.rendering.git.trees import Entry, Trees
from outrider.spec.source import ApplicationSource, SourceKind, repository_path

KUSTOMIZATION_FILES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
CHART_FILE = "Chart.yaml"
OVERRIDES = ".argocd-source"
MANIFEST_FILE = re.compile(r".*\.(yaml|yml|json|jsonnet)", re.DOTALL)

_SCANNED_MAX_BYTES = 1024 * 1024
# What is larger is read by no one as a kustomization.
_WORDS_MAX = 10_000
_FOLDERS_MAX = 1000
_WORD = re.compile(rb"[^\s\"'\[\]{},=]+")
_COMMENT = re.compile(rb"(?:^|(?<=\s))#.*")
_CACHED_SCANS_MAX = 10_000


@dataclass
class Reach:
    """The parts of a commit that a source reads: paths from the repository's root, with what lies there."""

    kind: SourceKind
    folder: Entry
    parts: dict[str, Entry] = field(default_factory=dict)
    chart_dependencies: dict[str, str] = field(default_factory=dict)
    # Folder of a chart inside `charts/` that is missing there -> the folder in the repository that its Chart.yaml names.

    def covers(self, path: str) -> bool:
        """Tell whether a path is inside one of the parts."""
        return any(path == part or part == "." or path.startswith(f"{part}/") for part in self.parts)


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
        self._scans: OrderedDict[bytes, tuple[str, ...]] = OrderedDict()

    def find(self, root: Entry, source: ApplicationSource) -> Reach:
        """Return what the source reads of a commit's root tree; PathNotFound if its folder is not there."""
        folder = self._trees.lookup(root, source.folder)
        if folder is None:
            raise PathNotFound(source.folder, "does not exist in the repository")
        if not folder.is_tree:
            raise PathNotFound(source.folder, "is no folder")
        reach = Reach(detect(source, self._trees.entries(folder.object_id)), folder)
        match reach.kind:
            case SourceKind.DIRECTORY:
                self._directory(reach, source)
            case SourceKind.HELM:
                self._chart(reach, root, source)
            case SourceKind.KUSTOMIZE:
                self._kustomization(reach, root, source)
        return reach

    def _directory(self, reach: Reach, source: ApplicationSource) -> None:
        options = source.directory
        if options and options.recurse:
            reach.parts[source.folder] = reach.folder
            return
        every_name = bool(options and options.disable_extension_filter)
        named = {
            name.decode("utf-8", "surrogateescape"): entry for name, entry in self._listing(reach.folder)
        }
        wanted = {
            name
            for name in named
            if every_name or MANIFEST_FILE.fullmatch(name) or name.startswith(OVERRIDES)
        }
        if any(named[name].is_link for name in wanted):
            # Any file beside a link may be what it points to.
            wanted |= {name for name, entry in named.items() if entry.is_file}
        for name in wanted:
            reach.parts[_join(source.folder, name)] = named[name]

    def _listing(self, folder: Entry) -> Iterator[tuple[bytes, Entry]]:
        for name, entry in self._trees.entries(folder.object_id).items():
            if entry.is_file or entry.is_link:
                yield name, entry

    def _chart(self, reach: Reach, root: Entry, source: ApplicationSource) -> None:
        reach.parts[source.folder] = reach.folder
        helm = source.helm
        files = [*helm.value_files, *(item.path for item in helm.file_parameters)] if helm else []
        for file in files:
            self._add(reach, root, _inside(source.folder, file))
        for word in self._words(reach.folder, CHART_FILE):
            if word.startswith("file://"):
                self._dependency(reach, root, source.folder, word.removeprefix("file://"))

    def _dependency(self, reach: Reach, root: Entry, chart: str, target: str) -> None:
        """Take in a chart that another one depends on by its place in the repository, as `helm dependency build` would."""
        path = _inside(chart, target)
        entry = self._trees.lookup(root, path) if path else None
        if path is None or entry is None or not entry.is_tree:
            return
        self._add(reach, root, path)
        vendored = f"{_join(chart, 'charts')}/{posixpath.basename(path)}"
        if self._trees.lookup(root, vendored) is None:
            reach.chart_dependencies[vendored] = path

    def _kustomization(self, reach: Reach, root: Entry, source: ApplicationSource) -> None:
        reach.parts[source.folder] = reach.folder
        options = source.kustomize
        named = [*options.components, *(patch.path for patch in options.patches)] if options else []
        waiting = [source.folder, *self._references(reach, root, source.folder, named)]
        seen: set[str] = set()
        while waiting and len(seen) < _FOLDERS_MAX:
            folder = waiting.pop()
            if folder not in seen:
                seen.add(folder)
                entry = self._trees.lookup(root, folder)
                if entry is not None and entry.is_tree:
                    waiting += self._references(reach, root, folder, self._kustomization_words(entry))

    def _kustomization_words(self, folder: Entry) -> Iterator[str]:
        for name in KUSTOMIZATION_FILES:
            yield from self._words(folder, name)

    def _references(self, reach: Reach, root: Entry, folder: str, words: Iterable[str]) -> list[str]:
        """Take in what the words name, if it exists; return the folders among it."""
        folders = []
        for word in words:
            path = _inside(folder, word)
            # Kustomize takes no folder that holds the one that names it, so that such a word is no reference.
            if path is not None and path != "." and not f"{folder}/".startswith(f"{path}/"):
                entry = self._add(reach, root, path)
                if entry is not None and entry.is_tree:
                    folders.append(path)
        return folders

    def _add(self, reach: Reach, root: Entry, path: str | None) -> Entry | None:
        if path is None:
            return None
        entry = self._trees.lookup(root, path)
        if entry is not None and not entry.is_submodule and not reach.covers(path):
            for covered in [part for part in reach.parts if part.startswith(f"{path}/")]:
                del reach.parts[covered]
            reach.parts[path] = entry
        return entry

    def _words(self, folder: Entry, name: str) -> tuple[str, ...]:
        entry = self._trees.entries(folder.object_id).get(name.encode())
        if entry is None or not entry.is_file:
            return ()
        known = self._scans.get(entry.object_id)
        if known is None:
            known = tuple(_scan(self._trees.blob(entry.object_id)))
            self._scans[entry.object_id] = known
            if len(self._scans) > _CACHED_SCANS_MAX:
                self._scans.popitem(last=False)
        return known


def _scan(data: bytes) -> Iterator[str]:
    if len(data) > _SCANNED_MAX_BYTES:
        return
    found = set()
    for match in _WORD.finditer(_COMMENT.sub(b"", data)):
        word = match.group()
        # A word without a slash or dot may be a folder beside the file; a key is none.
        if not word.endswith(b":") and word not in {b"-", b"|", b">"}:
            found.add(word)
            if len(found) >= _WORDS_MAX:
                break
    for word in sorted(found):
        yield word.decode("utf-8", "surrogateescape")


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
