"""Answers that fit a message. Pure.

An agent's answer comes in parts, a service's in one: what does not fit is left out, and the answer says so.
"""

from typing import Any, NamedTuple

from outrider import codec
from outrider.manifests.names import key_of

ANSWER_MAX_BYTES = 900 << 10
# Below the largest message, with room for what is around the items.
_LEFT_OUT = "left out: the answer would be too large; ask for this object alone"


def tree(answer: dict[str, Any]) -> dict[str, Any]:
    """Return a tree that fits: as many nodes as there is room for, which stand behind their parents."""
    nodes, room = _first(answer.get("nodes"), ANSWER_MAX_BYTES)
    orphaned, _ = _first(answer.get("orphaned"), room)
    left_out = len(nodes) < len(answer.get("nodes") or ()) or len(orphaned) < len(
        answer.get("orphaned") or ()
    )
    return {
        **answer,
        "nodes": nodes,
        "orphaned": orphaned,
        "truncated": bool(answer.get("truncated")) or left_out,
    }


def differences(answer: dict[str, Any]) -> dict[str, Any]:
    """Return differences that fit: those for which there is no room are named, as far as there is room for that."""
    room, found, truncated = ANSWER_MAX_BYTES, [], bool(answer.get("truncated"))
    for whole in answer.get("resources") or ():
        one = whole
        if len(codec.pack(one)) > room:
            truncated = True
            one = {**whole, "desired": None, "live": None, "changes": [], "message": _LEFT_OUT}
        room -= len(codec.pack(one))
        if room < 0:
            break
        found.append(one)
    return {**answer, "resources": found, "truncated": truncated}


class Page(NamedTuple):
    """Some objects in their order."""

    items: list[dict[str, Any]]
    next: int | None
    # where the next page begins; None: there is none
    left_out: list[str]
    # objects that no answer could hold


def page(objects: list[dict[str, Any]], after: int, limit: int) -> Page:
    """Return the page of objects that begins at `after`."""
    found: list[dict[str, Any]] = []
    left_out: list[str] = []
    room = ANSWER_MAX_BYTES
    for position, one in enumerate(objects[after:], after):
        size_bytes = len(codec.pack(one))
        if size_bytes > ANSWER_MAX_BYTES:
            left_out.append(str(key_of(one)))
        elif len(found) == limit or size_bytes > room:
            return Page(found, position, left_out)
        else:
            room -= size_bytes
            found.append(one)
    return Page(found, None, left_out)


def _first(items: Any, room: int) -> tuple[list[Any], int]:
    """Return the first items for which there is room, and the room that is left."""
    found = []
    for item in items or ():
        size_bytes = len(codec.pack(item))
        if size_bytes > room:
            break
        room -= size_bytes
        found.append(item)
    return found, room
