"""Status documents: whether bytes are one, and what lists and events need of it.

A document comes from an edge, so nothing about it is taken for granted. What the hub itself works with is read from every one, for every
change of every application of a fleet: `listed`. The rest is looked at when somebody asks for it: `whole`.
"""

from functools import lru_cache
from sys import intern
from typing import Any, Final, NamedTuple, TypeVar, get_args

import msgspec
from msgspec import UNSET

from outrider import codec
from outrider.codec import MalformedMessage
from status_aggregator.shape import Health, Listed, OfCluster, Sync, Whole

UNKNOWN: Final = "Unknown"
HEALTHS: Final[tuple[str, ...]] = get_args(Health)
SYNCS: Final[tuple[str, ...]] = get_args(Sync)

DOCUMENT_MAX_BYTES = codec.MESSAGE_MAX_BYTES - (16 << 10)
# With its record's other fields and headers it must still fit into one message.
MESSAGE_MAX_CHARS = 500
GENERATIONS_KEPT = 8192
STATUS_ERROR: Final = "StatusError"
# The condition of a document that is not the edge's newest, or can't be shown.
_UNREADABLE = {
    "type": STATUS_ERROR,
    "message": "the hub can't read all that the cluster says of this application",
}
_REASON_MAX_CHARS = 200

T = TypeVar("T")
_listed, _whole = msgspec.msgpack.Decoder(Listed), msgspec.msgpack.Decoder(Whole)
_of_cluster = msgspec.msgpack.Decoder(OfCluster)


class Reported(NamedTuple):
    """What lists show of a document."""

    sync: str
    health: str
    revision: str
    message: str
    generation: tuple[int, int] | None
    # of the Desired record that the edge works on, where it says so
    is_newest: bool = True


def listed(document: bytes) -> Listed:
    """Return what the hub works with; MalformedMessage names what is not of its shape."""
    return _decoded(_listed, document)


def whole(document: bytes) -> dict[str, Any]:
    """Return all of a document; MalformedMessage if it is none. Of one whose details can't be read, its state and a condition."""
    state = listed(document)
    try:
        # The two read different things: known fields by their shape, and whatever else there is.
        _decoded(_whole, document)
        found: dict[str, Any] = codec.unpack(document)
    except MalformedMessage:
        sync, health = (
            {"status": state.sync.status, "revision": state.sync.revision},
            {"status": state.health.status},
        )
        return {"sync": sync, "health": health, "conditions": [_UNREADABLE]}
    return found


def of_cluster(document: bytes) -> dict[str, Any]:
    """Return a cluster's own document; MalformedMessage names the field that is not of its shape. Unknown sections are kept."""
    _decoded(_of_cluster, document)
    found: dict[str, Any] = codec.unpack(document)
    return found


def reported(state: Listed) -> Reported:
    """Return what lists show."""
    return Reported(
        state.sync.status,
        state.health.status,
        intern(state.sync.revision),
        _message(state)[:MESSAGE_MAX_CHARS],
        _generation(state.sync.generation),
        all(condition.type != STATUS_ERROR for condition in state.conditions),
    )


def _decoded(decoder: "msgspec.msgpack.Decoder[T]", document: bytes) -> T:
    try:
        return decoder.decode(document)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise MalformedMessage(f"not a status document: {str(error)[:_REASON_MAX_CHARS]}") from error


def _message(state: Listed) -> str:
    """What a person needs to know first: what is wrong with the application, then with its last sync, then its health."""
    for condition in state.conditions:
        if condition.message:
            return condition.message
    operation = state.operation_state
    if operation is not UNSET and operation.phase in ("Failed", "Error") and operation.message:
        return operation.message
    return state.health.message


def _generation(value: Any) -> tuple[int, int] | None:
    match value:
        case [int(epoch), int(counter)]:
            return generation(epoch, counter)
    return None


@lru_cache(maxsize=GENERATIONS_KEPT)
def generation(epoch: int, counter: int) -> tuple[int, int]:
    """Return one object for all generations that are equal: clusters number alike."""
    return epoch, counter
