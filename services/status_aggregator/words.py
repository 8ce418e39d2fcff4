"""What was said of one application since the last commit, and what of it is to be written. Pure.

The newest good document is written. Where something newer could not be taken, the document says so in a condition of its own, which is
where a person looks; the application's state then counts as unknown.
"""

from typing import Any

from msgspec import Struct

from outrider import codec
from outrider.codec import MalformedMessage
from outrider.subjects import CLUSTER
from status_aggregator.document import STATUS_ERROR, UNKNOWN
from status_aggregator.edge import Known
from status_aggregator.shape import Listed


class Word(Struct, frozen=True, gc=False):
    """A document and when it was said."""

    known: Known
    observed_at_ms: int
    received_at_ms: int
    state: Listed | None = None
    # what the document says; None: of the cluster's own


class Refused(Struct, frozen=True, gc=False):
    """A document that can't be taken."""

    kind: str
    received_at_ms: int


class Gone(Struct, frozen=True, gc=False):
    """The application is gone."""


Said = Word | Refused | Gone


class Standing(Struct, frozen=True, gc=False):
    """What remains of all that was said."""

    last: Word | Gone | None = None
    # None: what was written before
    refused: Refused | None = None
    # the newest that came after it

    def then(self, said: Said) -> "Standing":
        """Return what remains once something more is said."""
        return Standing(self.last, said) if isinstance(said, Refused) else Standing(said)


def troubled(app: str, last_good: bytes, kind: str) -> bytes:
    """Return the last good document (empty: there is none) with the word that a newer one can't be taken."""
    value = _readable(last_good)
    unknown = {"status": UNKNOWN}
    shape = {} if app == CLUSTER else {"sync": unknown, "health": unknown, "resources": []}
    conditions = [one for one in value.get("conditions", []) if one.get("type") != STATUS_ERROR]
    what = "cluster" if app == CLUSTER else "application"
    message = f"the hub can't take the newest status of this {what}: {kind}"
    return codec.canonical(
        shape | value | {"conditions": [{"type": STATUS_ERROR, "message": message}, *conditions]}
    )


def _readable(document: bytes) -> dict[str, Any]:
    try:
        value: dict[str, Any] = codec.unpack(document) if document else {}
    except MalformedMessage:
        # Good by its shape, of which it holds more than can be read.
        return {}
    return value
