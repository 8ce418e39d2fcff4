"""`spec.ignoreDifferences`: parts of objects that are compared by nobody. Pure."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_agent.cluster.names import Key, Object


@dataclass(frozen=True, slots=True)
class IgnoreRule:
    """One entry of `ignoreDifferences`; group and kind may be globs, empty name and namespace mean any."""

    group: str
    kind: str
    name: str
    namespace: str
    pointers: tuple[tuple[str, ...], ...]

    def covers(self, key: Key) -> bool:
        """Say whether the rule is about an object."""
        return (
            fnmatch.fnmatchcase(key.group, self.group)
            and fnmatch.fnmatchcase(key.kind, self.kind)
            and self.name in ("", key.name)
            and self.namespace in ("", key.namespace)
        )


def ignore_rules(spec: Mapping[str, Any]) -> tuple[IgnoreRule, ...]:
    """Read the rules of an application's spec."""
    return tuple(
        IgnoreRule(
            str(entry.get("group") or ""),
            str(entry.get("kind") or ""),
            str(entry.get("name") or ""),
            str(entry.get("namespace") or ""),
            tuple(parse_pointer(str(pointer)) for pointer in entry.get("jsonPointers") or ()),
        )
        for entry in spec.get("ignoreDifferences") or ()
    )


def ignored(rules: Iterable[IgnoreRule], key: Key) -> tuple[tuple[str, ...], ...]:
    """Return the pointers that are ignored in an object."""
    return tuple(pointer for rule in rules if rule.covers(key) for pointer in rule.pointers)


def parse_pointer(pointer: str) -> tuple[str, ...]:
    """Split a JSON pointer (RFC 6901) into its steps."""
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])


def without(found: Object, pointers: Iterable[tuple[str, ...]]) -> Object:
    """Return the object without what the pointers lead to; the given one is left as it is."""
    for pointer in pointers:
        found = _without(found, pointer)
    return found


def with_live(desired: Object, live: Mapping[str, Any], pointers: Iterable[tuple[str, ...]]) -> Object:
    """Return the desired object with the live one's values where the pointers lead, for
    `RespectIgnoreDifferences`.
    """
    for pointer in pointers:
        present, value = _find(live, pointer)
        desired = _with(desired, pointer, value) if present else _without(desired, pointer)
    return desired


def _without(found: Any, steps: tuple[str, ...]) -> Any:
    if not steps:
        return found
    step, rest = steps[0], steps[1:]
    if isinstance(found, Mapping) and step in found:
        if not rest:
            return {name: value for name, value in found.items() if name != step}
        return {**found, step: _without(found[step], rest)}
    if isinstance(found, list) and step.isdigit() and int(step) < len(found):
        position = int(step)
        below = [_without(found[position], rest)] if rest else []
        return [*found[:position], *below, *found[position + 1 :]]
    return found


def _with(found: Any, steps: tuple[str, ...], value: Any) -> Any:
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if isinstance(found, list):
        if not step.isdigit() or int(step) >= len(found):
            return found
        position = int(step)
        return [*found[:position], _with(found[position], rest, value), *found[position + 1 :]]
    held = found if isinstance(found, Mapping) else {}
    return {**held, step: _with(held.get(step), rest, value)}


def _find(found: Any, steps: tuple[str, ...]) -> tuple[bool, Any]:
    for step in steps:
        if isinstance(found, Mapping) and step in found:
            found = found[step]
        elif isinstance(found, list) and step.isdigit() and int(step) < len(found):
            found = found[int(step)]
        else:
            return False, None
    return True, found
