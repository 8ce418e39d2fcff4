"""What was said of one application since the last commit, and what of it is to be written. Pure.

The newest good document is written. Where something newer could not be taken, the document says so in a condition of its own, which is
where a person looks; the application's state then counts as unknown.
"""

from typing import NamedTuple

from outrider import codec
from outrider.codec import MalformedMessage
from status_aggregator import document, frames
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


def resolve(words: list[Said]) -> Standing:
    """Return what stands."""
    refused: Refused | None = None
    for word in reversed(words):
        if isinstance(word, Word) and not _is_good(word):
            refused = refused or Refused(MALFORMED, word.received_at_ms)
        elif isinstance(word, Refused):
            refused = refused or word
        else:
            return Standing(word, refused)
    return Standing(None, refused)


def _is_good(word: Word) -> bool:
    try:
        document.check(frames.unpack(word.held.frame))
    except MalformedMessage:
        return False
    return True


def troubled(last_good: bytes, kind: str) -> bytes:
    """Return the last good document (empty: there is none) with the word that a newer one can't be taken."""
    value = codec.unpack(last_good) if last_good else {}
    unknown = {"status": UNKNOWN}
    conditions = [one for one in value.get("conditions", []) if one.get("type") != STATUS_ERROR]
    message = f"the hub can't take the newest status of this application: {kind}"
    return codec.canonical(
        {"sync": unknown, "health": unknown, "resources": []}
        | value
        | {"conditions": [{"type": STATUS_ERROR, "message": message}, *conditions]}
    )
