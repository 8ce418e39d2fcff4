"""What a file may refer to, found without parsing it: files from strangers are parsed in the worker alone.

Every word of a kustomization or Chart.yaml may be a path, and so may what stands after `import` in Jsonnet. Taking one too many
costs a needless rendering; one that is written so oddly that it is not found (with escapes, say) is missing in the worker, and
refused there by name.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator

from outrider.rendering.git.trees import Entry, Trees

_SCANNED_MAX_BYTES = 1024 * 1024
# What is larger is read by no one as a kustomization.
_WORDS_MAX = 10_000
_WORD = re.compile(rb"[^\s\"'\[\]{},=]+")
_COMMENT = re.compile(rb"(?:^|(?<=\s))#.*")
_IMPORT = re.compile(rb"\bimport(?:str|bin)?\s*@?(?:\"([^\"\\\n]*)\"|'([^'\\\n]*)')")
_CACHED_SCANS_MAX = 20_000


class References:
    """Scans files, each once; remembered by their ids, so that nothing goes stale."""

    def __init__(self, trees: Trees) -> None:
        self._trees = trees
        self._words: OrderedDict[bytes, tuple[str, ...]] = OrderedDict()
        self._imports: OrderedDict[bytes, tuple[str, ...]] = OrderedDict()

    def words(self, file: Entry | None) -> tuple[str, ...]:
        """Return every word of a YAML file that may be a path."""
        return self._scan(file, self._words, _words)

    def imports(self, file: Entry | None) -> tuple[str, ...]:
        """Return what a Jsonnet file imports."""
        return self._scan(file, self._imports, _imported)

    def _scan(
        self,
        file: Entry | None,
        cache: OrderedDict[bytes, tuple[str, ...]],
        scan: Callable[[bytes], Iterator[str]],
    ) -> tuple[str, ...]:
        if file is None or not file.is_file:
            return ()
        known = cache.get(file.object_id)
        if known is None:
            data = self._trees.blob(file.object_id)
            known = tuple(scan(data)) if len(data) <= _SCANNED_MAX_BYTES else ()
            cache[file.object_id] = known
            if len(cache) > _CACHED_SCANS_MAX:
                cache.popitem(last=False)
        return known


def _words(data: bytes) -> Iterator[str]:
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


def _imported(data: bytes) -> Iterator[str]:
    found = {match[1] if match[1] is not None else match[2] for match in _IMPORT.finditer(data)}
    for text in sorted(found)[:_WORDS_MAX]:
        yield text.decode("utf-8", "surrogateescape")
