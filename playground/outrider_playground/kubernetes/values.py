"""The words for JSON values that every file of this package shares."""

from typing import Any, Final

Manifest = dict[str, Any]
"""A Kubernetes object as plain JSON. Once stored it is never changed in place: a change makes new dicts along its path."""


class Absent:
    """The type of `ABSENT`: a field that is not there at all, which is not the same as JSON null."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()


def json_type(value: Any) -> str:
    """Name a value's JSON type as Go's JSON decoder does in its errors."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def sharing(old: Any, new: Any) -> Any:
    """Return the new value with every part that equals the old one's taken from there, so that versions of an object share memory."""
    if old is new:
        return new
    if isinstance(new, dict) and isinstance(old, dict):
        if old == new:
            return old
        return {key: sharing(old[key], inner) if key in old else inner for key, inner in new.items()}
    if isinstance(new, list) and isinstance(old, list):
        if old == new:
            return old
        return [sharing(before, inner) for before, inner in zip(old, new, strict=False)] + new[len(old) :]
    return new
