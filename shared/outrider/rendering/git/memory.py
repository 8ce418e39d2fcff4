"""Remember the fingerprint of each source, and look again only at those whose paths a commit touches.

One commit of a repository that a thousand applications share usually concerns one of them. The trees of two commits are compared
once; a source whose watched paths are not among what changed keeps what it had.
"""

from collections import OrderedDict
from dataclasses import dataclass

from outrider.rendering.git.changes import changed_paths
from outrider.rendering.git.errors import GitError, PathNotFound
from outrider.rendering.git.fingerprint import Fingerprint, fingerprint
from outrider.rendering.git.reach import ReachFinder
from outrider.rendering.git.trees import Entry, Trees
from outrider.spec.source import ApplicationSource

_KNOWN_MAX = 50_000


@dataclass
class _Known:
    source: ApplicationSource
    # Kept, so that its place in memory is not another one's.
    root: Entry
    watched: frozenset[str]
    found: Fingerprint | PathNotFound


class FingerprintMemory:
    """The fingerprints of one clone's sources. Not for use by two threads at once."""

    def __init__(self, trees: Trees, reach: ReachFinder) -> None:
        self._trees, self._reach = trees, reach
        self._known: OrderedDict[int, _Known] = OrderedDict()
        self._changes: OrderedDict[tuple[bytes, bytes], frozenset[str] | None] = OrderedDict()

    def find(self, root: Entry, source: ApplicationSource) -> Fingerprint | GitError:
        """Return the fingerprint of a source at a commit's root tree, or why it has none.

        Sources are told apart as objects: whoever asks again with the same object is answered from memory.
        """
        known = self._known.get(id(source))
        if known is None or not self._is_untouched(known, root):
            known = self._look(root, source)
        known.root = root
        self._known[id(source)] = known
        self._known.move_to_end(id(source))
        if len(self._known) > _KNOWN_MAX:
            self._known.popitem(last=False)
        return known.found

    def _look(self, root: Entry, source: ApplicationSource) -> _Known:
        try:
            reach = self._reach.find(root, source)
        except PathNotFound as error:
            return _Known(source, root, frozenset({"."}), error)
        return _Known(source, root, frozenset(reach.watched), fingerprint(reach, source))

    def _is_untouched(self, known: _Known, root: Entry) -> bool:
        if known.root == root:
            return True
        key = (known.root.object_id, root.object_id)
        if key not in self._changes:
            self._changes[key] = changed_paths(self._trees, known.root, root)
            if len(self._changes) > 16:
                self._changes.popitem(last=False)
        changed = self._changes[key]
        return changed is not None and changed.isdisjoint(known.watched)
