"""The entries of batches, one after the other, taken into what is known of an edge. Pure.

Of each application the frames that lead from the document that is held to the newest one are gathered, and unpacked at the end: what
stands then is looked at. If one on the way is not what it says, the last one before it stands.
"""

from collections import Counter
from collections.abc import Mapping
from sys import intern

from msgspec import Struct
from msgspec.structs import replace

from outrider import delta
from outrider.codec import MalformedMessage
from outrider.messages import StatusEntry
from outrider.names import InvalidName, app_name, from_token, token
from outrider.subjects import CLUSTER
from status_aggregator import frames
from status_aggregator.about import listed_of
from status_aggregator.edge import Change, Edge, Known, Limits, Marks


class _BatchTooLarge(Exception):
    """The entries before this one have used up what one batch may unpack: this one is asked for again."""


_KINDS = {
    delta.TooLarge: "document too large",
    delta.WrongBase: "document does not decode",
    _BatchTooLarge: "batch too large",
}
NO_DOCUMENT = "not a status document"
_FAULTS = tuple(_KINDS)
NOTHING = Known(b"")


class _Chain(Struct):
    """Frames that lead to the newest document of an application, each a patch against the one before."""

    is_whole: bool
    # the first is no patch; otherwise it is one against the document held
    links: list[tuple[bytes, bytes]]
    # digest and frame


class Entries:
    """The state of an edge in the middle of a batch, or of several."""

    def __init__(self, edge: Edge, limits: Limits, gathered: Mapping[str, bytes], batches: int) -> None:
        """`batches`: how many these are the entries of, for what they may unpack."""
        self.apps = dict(edge.apps)
        self.gathered = dict(gathered)
        self.lacking = set(edge.lacking)
        self.size_bytes = edge.size_bytes
        self.changes: list[Change] = []
        self.documents = 0
        self.removed: list[str] = []
        self.absent: list[str] = []
        self.refused: dict[str, str] = {}
        self.rejected: Counter[str] = Counter()
        self._announced: dict[str, bytes] = {}
        self._chains: dict[str, _Chain] = {}
        self._limits = limits
        self._left_bytes = batches * limits.batch_max_bytes

    def take(self, raw: object) -> None:
        """Take one entry, whatever is wrong with it."""
        try:
            entry = StatusEntry.parse(raw)
            self._admit(entry)
        except (MalformedMessage, InvalidName):
            self.rejected["malformed entry"] += 1
        except delta.TooLarge:
            self.rejected["too many applications"] += 1
        else:
            if entry.frame is None:
                self._gone(entry.app)
            else:
                self._link(entry, entry.frame)

    def _admit(self, entry: StatusEntry) -> None:
        if entry.frame is not None and len(entry.digest) != delta.SHORT_DIGEST_BYTES:
            raise MalformedMessage("StatusBatch.entries: not a short digest")
        if entry.app not in self.apps:
            if entry.app != CLUSTER and token(app_name(from_token(entry.app))) != entry.app:
                raise MalformedMessage("StatusBatch.entries: a name that is no token")
            if entry.frame is not None and len(self.apps) >= self._limits.apps_max:
                raise delta.TooLarge(f"{self._limits.apps_max} applications are allowed")

    def _gone(self, app: str) -> None:
        self.gathered.pop(app, None)
        if app in self.apps:
            self._remove(app)
        else:
            self.absent.append(app)

    def _remove(self, app: str) -> None:
        self._announced.pop(app, None)
        self._chains.pop(app, None)
        self.lacking.discard(app)
        self.refused.pop(app, None)
        self.size_bytes -= self.apps.pop(app).size_bytes
        self.changes = [change for change in self.changes if change.app != app]
        self.removed.append(app)

    def _link(self, entry: StatusEntry, frame: bytes) -> None:
        app, digest, base, _ = entry
        known = self.apps.get(app)
        if known is None:
            # One object for a name that many know.
            known = self.apps[intern(app)] = NOTHING
        self.gathered[app] = self._announced[app] = digest
        chain = self._chains.get(app)
        if chain is None and known.announced == digest and not known.lacking:
            return
        newest = chain.links[-1][0] if chain is not None else known.digest
        if newest == digest:
            return
        if base is None:
            self._chains[app] = _Chain(True, [(digest, frame)])
        elif base and newest.startswith(base):
            # Its first bytes may do: what comes out is checked.
            if chain is not None:
                chain.links.append((digest, frame))
            else:
                self._chains[app] = _Chain(False, [(digest, frame)])
        # Any other is a patch against what is not held: the document is lacking.

    def finish(self) -> None:
        """Take up the documents that stand at the end."""
        for app, announced in self._announced.items():
            known = self.apps[app]
            chain = self._chains.get(app)
            if chain is not None:
                known = self._followed(app, chain, known)
            if known.announced != announced:
                known = replace(known, announced=announced, refused=False)
            self.apps[app] = known
            if known.lacking:
                self.lacking.add(app)
            else:
                self.lacking.discard(app)

    def _followed(self, app: str, chain: _Chain, old: Known) -> Known:
        """Return an application with the document that a chain leads to, or the last one on the way that can be taken."""
        base = None if chain.is_whole else old.frame
        try:
            document = self._document(base, chain.links, old)
        except _FAULTS as error:
            if len(chain.links) == 1:
                return self._faulty(app, chain, old, error)
            for link in chain.links:
                step = _Chain(chain.is_whole and link is chain.links[0], [link])
                after = self._followed(app, step, old)
                if after.digest != link[0]:
                    return after
                old = after
            return old
        before = len(self.changes)
        known = self._with(app, chain.links[-1][0], document, old)
        self.documents += len(chain.links) - 1 + len(self.changes) - before
        return known

    def _faulty(self, app: str, chain: _Chain, old: Known, error: Exception) -> Known:
        kind, digest = _KINDS[type(error)], chain.links[0][0]
        self.rejected[kind] += 1
        # A frame that does not decode may do so when it is sent again; what is too large stays so.
        refused = chain.is_whole and isinstance(error, delta.TooLarge)
        if refused:
            self.refused[app] = kind
        return replace(old, announced=digest, refused=refused)

    def _with(self, app: str, digest: bytes, document: bytes, old: Known) -> Known:
        held = frames.wrap(document)
        try:
            state = listed_of(app, document)
        except MalformedMessage:
            # It is what the edge has, and patches are made against it; what was told of the last good one stays.
            self.rejected[NO_DOCUMENT] += 1
            self.refused[app] = NO_DOCUMENT
            return Known(digest, digest, held, len(document), old.marks)
        known = Known(digest, digest, held, len(document), Marks.of(state))
        self.changes.append(Change(app, old if old.frame else None, known, state))
        self.refused.pop(app, None)
        return known

    def _document(self, base: bytes | None, links: list[tuple[bytes, bytes]], old: Known) -> bytes:
        """Return the document that links lead to, within all limits. delta.WrongBase, delta.TooLarge, _BatchTooLarge."""
        for _, frame in links:
            if self._left_bytes <= 0:
                raise _BatchTooLarge
            self._left_bytes -= frames.unpacked_bytes(frame, max_bytes=self._limits.document_max_bytes)
        document = frames.received([frame for _, frame in links], base)
        if delta.short_digest(document) != links[-1][0]:
            raise delta.WrongBase("the digest differs from the announced one")
        size_bytes = self.size_bytes + len(document) - old.size_bytes
        if size_bytes > self._limits.cluster_max_bytes:
            raise delta.TooLarge(f"{self._limits.cluster_max_bytes} bytes are allowed")
        self.size_bytes = size_bytes
        return document

    def settle(self, set_digest: bytes) -> bool:
        """Compare with the edge's set; return whether it is known to be ours. Drops what the edge does not have."""
        if _digest_of({app: known.announced for app, known in self.apps.items()}).startswith(set_digest):
            return True
        if not _digest_of(self.gathered).startswith(set_digest):
            return False
        for app in [app for app in self.apps if app not in self.gathered and app != CLUSTER]:
            self._remove(app)
        return True


def _digest_of(announced: Mapping[str, bytes]) -> bytes:
    """Return the digest of a set of applications; the cluster's own document is none."""
    if CLUSTER in announced:
        announced = dict(announced)
        del announced[CLUSTER]
    return delta.set_digest(announced)
