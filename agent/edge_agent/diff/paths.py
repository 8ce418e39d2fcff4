"""Take parts out of an object, or put the live ones in, by their paths. Pure; what is given stays as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_agent.cluster.names import Object
    from edge_agent.diff.ignore import Path

# By which field an item of a list is known again at another position: the merge keys of Kubernetes' own kinds.
_KEYS = (
    "name",
    "key",
    "containerPort",
    "port",
    "mountPath",
    "devicePath",
    "ip",
    "type",
    "topologyKey",
    "uid",
)


def without(found: Object, paths: Iterable[Path]) -> Object:
    """Return the object without what the paths lead to. They are all meant of the object as it is given: one
    that takes an item out of a list moves no other.
    """
    for path in sorted(set(paths), key=_place, reverse=True):
        found = _without(found, path)
    return found


def with_live(
    desired: Object, live: Mapping[str, Any], in_desired: Iterable[Path], in_live: Iterable[Path]
) -> Object:
    """Return the desired object with the live one's parts in place of its own, for
    `RespectIgnoreDifferences`: what `in_desired` leads to is left out, what `in_live` leads to is put in.

    An item of a list is put where the desired object has the same item (by name or another key), else at the
    position that it has. The status is never put in: it is its controller's.
    """
    found = without(desired, in_desired)
    for path in sorted(set(in_live), key=_place):
        if path and path[0] != "status":
            present, value = find(live, path)
            if present:
                found = _put(found, live, path, value)
    return found


def find(found: Any, path: Path) -> tuple[bool, Any]:
    """Return whether a path leads to anything, and to what."""
    for step in path:
        if isinstance(found, Mapping) and step in found:
            found = found[step]
        elif isinstance(found, list) and step.isdigit() and int(step) < len(found):
            found = found[int(step)]
        else:
            return False, None
    return True, found


def _place(path: Path) -> list[tuple[int, str]]:
    return [(int(step), "") if step.isdigit() else (-1, step) for step in path]


def _without(found: Any, path: Path) -> Any:
    if not path:
        return found
    step, rest = path[0], path[1:]
    if isinstance(found, Mapping) and step in found:
        if not rest:
            return {name: value for name, value in found.items() if name != step}
        return {**found, step: _without(found[step], rest)}
    if isinstance(found, list) and step.isdigit() and int(step) < len(found):
        position = int(step)
        below = [_without(found[position], rest)] if rest else []
        return [*found[:position], *below, *found[position + 1 :]]
    return found


def _put(found: Any, live: Any, path: Path, value: Any) -> Any:
    """Put a value at a path of the live object into what is being made of the desired one."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(live, list):
        return _put_item(found, live, int(step), rest, value)
    held = found if isinstance(found, Mapping) else {}
    return {**held, step: _put(held.get(step), live[step], rest, value)}


def _put_item(found: Any, live: list[Any], position: int, rest: Path, value: Any) -> Any:
    held = found if isinstance(found, list) else []
    at = _same(live[position], held)
    if at is None and rest and not isinstance(live[position], Mapping) and position < len(held):
        at = position
    if at is not None:
        return [*held[:at], _put(held[at], live[position], rest, value), *held[at + 1 :]]
    # A part of an item that isn't desired is nothing to be applied.
    return found if rest else [*held[:position], value, *held[position:]]


def _same(item: Any, others: list[Any]) -> int | None:
    """Return at which position a list has an item with the same key."""
    key = next((name for name in _KEYS if name in item), None) if isinstance(item, Mapping) else None
    if key is None:
        return None
    same = (at for at, one in enumerate(others) if isinstance(one, Mapping) and one.get(key) == item[key])
    return next(same, None)
