"""Status documents: whether bytes are one, and what lists and events need of it.

The shape is that of Argo CD's `Application.status`. A document comes from an edge, so nothing about it is taken for granted. `headline`
reads only the few fields that decide, straight from the bytes, because it runs for every change of every application of a fleet;
`check` looks at every field that an answer hands out, and runs once before a document is published.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgpack

from outrider import codec
from outrider.codec import MalformedMessage

UNKNOWN: Final = "Unknown"
HEALTHS: Final = ("Healthy", "Progressing", "Degraded", "Suspended", "Missing", UNKNOWN)
SYNCS: Final = ("Synced", "OutOfSync", UNKNOWN)
PHASES: Final = ("Running", "Succeeded", "Failed", "Error", "Terminating")

DOCUMENT_MAX_BYTES = codec.MESSAGE_MAX_BYTES - (16 << 10)
# With its record's other fields and headers it must still fit into one message.
MESSAGE_MAX_CHARS = 500
STATUS_ERROR: Final = "StatusError"
# The condition of a document that is not the edge's newest, since that one can't be taken.

_INTERNED = {text: text for text in (*HEALTHS, *SYNCS, *PHASES, "")}
# One object for each word, whatever the number of applications.


class Headline(NamedTuple):
    """What decides which events a change makes."""

    sync: str
    health: str
    phase: str = ""
    # of the last operation; empty: there was none
    started_at: str = ""
    # tells one operation from the next
    revision: str = ""


class Reported(NamedTuple):
    """What lists show of a document."""

    sync: str
    health: str
    revision: str
    message: str
    generation: tuple[int, int] | None
    # of the Desired record that the edge works on, where it says so
    is_newest: bool = True


def headline(document: bytes) -> Headline:
    """Return the fields that decide; MalformedMessage if the bytes are no status document."""
    unpacker = msgpack.Unpacker(None, raw=False, strict_map_key=True, max_buffer_size=len(document) or 1)
    unpacker.feed(document)
    try:
        parts = _parts(unpacker)
    except (ValueError, TypeError, msgpack.exceptions.UnpackException, RecursionError) as error:
        raise MalformedMessage(f"not a status document: {type(error).__name__}") from error
    if unpacker.tell() != len(document):
        raise MalformedMessage("not a status document: more bytes follow")
    sync, health = _word(parts, "sync", "status", SYNCS), _word(parts, "health", "status", HEALTHS)
    if "operationState" not in parts:
        return Headline(sync, health, revision=_text(parts["sync"], "revision"))
    phase = _word(parts, "operationState", "phase", PHASES)
    started_at = _text(parts["operationState"], "startedAt")
    return Headline(sync, health, phase, started_at, _text(parts["sync"], "revision"))


def _parts(unpacker: Any) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    unpack, skip = unpacker.unpack, unpacker.skip
    for _ in range(unpacker.read_map_header()):
        key = unpack()
        if key in ("sync", "health"):
            parts[key] = unpack()
        elif key == "operationState":
            # Its result lists every object of the sync: the largest part of many documents.
            operation = parts[key] = {}
            for _ in range(unpacker.read_map_header()):
                name = unpack()
                if name in ("phase", "startedAt"):
                    operation[name] = unpack()
                else:
                    skip()
        else:
            skip()
    return parts


def _word(parts: dict[str, Any], part: str, name: str, words: tuple[str, ...]) -> str:
    value = parts.get(part)
    word = value.get(name) if isinstance(value, dict) else None
    if not isinstance(word, str) or word not in words:
        raise MalformedMessage(f"status document: {part}.{name} is none of {', '.join(words)}")
    return _INTERNED[word]


def _text(value: Any, name: str) -> str:
    text = value.get(name, "")
    if not isinstance(text, str):
        raise MalformedMessage(f"status document: {name} is not text")
    return text


def check(document: bytes) -> dict[str, Any]:
    """Return the whole document; MalformedMessage names the field that is not of its shape. Unknown fields are kept."""
    value = codec.unpack(document)
    if not isinstance(value, dict):
        raise MalformedMessage("not a status document")
    _word(value, "sync", "status", SYNCS)
    _text(value["sync"], "revision")
    _word(value, "health", "status", HEALTHS)
    _text(value["health"], "message")
    if "operationState" in value:
        _operation(value)
    check_conditions(value)
    _each(value, "resources", _resource)
    _images(value.get("summary", {}))
    return value


def check_conditions(value: dict[str, Any]) -> None:
    """Check the conditions of a document of any kind; MalformedMessage."""
    _each(value, "conditions", _condition)


def _operation(value: dict[str, Any]) -> None:
    _word(value, "operationState", "phase", PHASES)
    operation = value["operationState"]
    for name in ("message", "startedAt", "finishedAt"):
        _text(operation, name)
    result = operation.get("syncResult", {})
    if not isinstance(result, dict):
        raise MalformedMessage("status document: operationState.syncResult is not a map")
    _each(result, "resources", _named)


def _each(value: dict[str, Any], name: str, checked: Callable[[dict[str, Any]], None]) -> None:
    items = value.get(name, [])
    if not isinstance(items, list):
        raise MalformedMessage(f"status document: {name} is not a list")
    for item in items:
        if not isinstance(item, dict):
            raise MalformedMessage(f"status document: {name} holds something that is not a map")
        checked(item)


def _condition(item: dict[str, Any]) -> None:
    _text(item, "type")
    _text(item, "message")


def _named(item: dict[str, Any]) -> None:
    # By values, since most objects have no fields but these, and all of them are text.
    if not all(type(value) is str for name, value in item.items() if name != "health" or value is None):
        for name in ("group", "version", "kind", "namespace", "name", "status", "message"):
            _text(item, name)


def _resource(item: dict[str, Any]) -> None:
    _named(item)
    if "health" in item:
        _word(item, "health", "status", HEALTHS)
        _text(item["health"], "message")


def _images(summary: Any) -> None:
    images = summary.get("images", []) if isinstance(summary, dict) else None
    if not isinstance(images, list) or not all(isinstance(image, str) for image in images):
        raise MalformedMessage("status document: summary.images is not a list of text")


def reported(document: dict[str, Any]) -> Reported:
    """Return what lists show of a checked document."""
    sync, health = document["sync"], document["health"]
    return Reported(
        _INTERNED[sync["status"]],
        _INTERNED[health["status"]],
        sync.get("revision", ""),
        _message(document)[:MESSAGE_MAX_CHARS],
        _generation(sync.get("generation")),
        all(condition.get("type") != STATUS_ERROR for condition in document.get("conditions", [])),
    )


def _message(document: dict[str, Any]) -> str:
    """What a person needs to know first: what is wrong with the application, then with its last sync, then its health."""
    for condition in document.get("conditions", []):
        if condition.get("message"):
            return str(condition["message"])
    operation = document.get("operationState", {})
    if operation.get("phase") in ("Failed", "Error") and operation.get("message"):
        return str(operation["message"])
    return str(document["health"].get("message", ""))


def _generation(value: Any) -> tuple[int, int] | None:
    match value:
        case [int(epoch), int(counter)]:
            return epoch, counter
    return None
