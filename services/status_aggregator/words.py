"""What was said of one application since the last commit, and what of it is to be written. Pure.

The newest good document is written. Where something newer could not be taken, the document says so in a condition of its own, which is
where a person looks; the application's state then counts as unknown.
"""

from typing import NamedTuple

from outrider import codec
from outrider.codec import MalformedMessage
from outrider.subjects import CLUSTER
from status_aggregator import frames
from status_aggregator.about import check_of
from status_aggregator.document import STATUS_ERROR, UNKNOWN
from status_aggregator.edge import Held

MALFORMED = "not a status document"


class Word(NamedTuple):
    """A document and when it was said."""

    held: Held
    observed_at_ms: int
    received_at_ms: int


class Refused(NamedTuple):
    """A document that can't be taken."""

    kind: str
    received_at_ms: int


class Gone(NamedTuple):
    """The application is gone."""


Said = Word | Refused | Gone


class Standing(NamedTuple):
    """What remains of all that was said."""

    last: Word | Gone | None
    # None: what was written before
    refused: Refused | None
    # the newest that came after it

    @property
    def words(self) -> list[Said]:
        """Return it as if no more had been said."""
        return [word for word in self if word is not None]


def resolve(app: str, words: list[Said]) -> Standing:
    """Return what stands of all that was said of `app`, a token."""
    refused: Refused | None = None
    for word in reversed(words):
        if isinstance(word, Word) and not _is_good(app, word):
            refused = refused or Refused(MALFORMED, word.received_at_ms)
        elif isinstance(word, Refused):
            refused = refused or word
        else:
            return Standing(word, refused)
    return Standing(None, refused)


def _is_good(app: str, word: Word) -> bool:
    try:
        check_of(app, frames.unpack(word.held.frame))
    except MalformedMessage:
        return False
    return True


def troubled(app: str, last_good: bytes, kind: str) -> bytes:
    """Return the last good document (empty: there is none) with the word that a newer one can't be taken."""
    value = codec.unpack(last_good) if last_good else {}
    unknown = {"status": UNKNOWN}
    shape = {} if app == CLUSTER else {"sync": unknown, "health": unknown, "resources": []}
    conditions = [one for one in value.get("conditions", []) if one.get("type") != STATUS_ERROR]
    what = "cluster" if app == CLUSTER else "application"
    message = f"the hub can't take the newest status of this {what}: {kind}"
    return codec.canonical(
        shape | value | {"conditions": [{"type": STATUS_ERROR, "message": message}, *conditions]}
    )
