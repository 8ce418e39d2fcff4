"""What is compared by nobody: `spec.ignoreDifferences`, and what the hub's settings ignore on every cluster. Pure.

Three forms, as in Argo CD (its `docs/user-guide/diffing.md`): JSON pointers, jq path expressions, and field
managers whose fields are theirs. Group and kind may be globs.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edge_agent.cluster.names import Key

Path = tuple[str, ...]
"""Steps into an object: names of fields, positions of items."""

# Under which `ignoreDifferences` of the hub's settings stands what holds for every kind.
_EVERY = frozenset({"all", "*/*"})


class Ignored(NamedTuple):
    """What is ignored in one object; false where nothing is."""

    pointers: tuple[Path, ...] = ()
    expressions: tuple[str, ...] = ()
    managers: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(self[:])


@dataclass(frozen=True, slots=True)
class IgnoreRule:
    """One entry; empty name and namespace mean any."""

    group: str
    kind: str
    name: str
    namespace: str
    what: Ignored

    def covers(self, key: Key) -> bool:
        """Say whether the rule is about an object."""
        return (
            fnmatch.fnmatchcase(key.group, self.group)
            and fnmatch.fnmatchcase(key.kind, self.kind)
            and self.name in ("", key.name)
            and self.namespace in ("", key.namespace)
        )

    @property
    def value(self) -> list[Any]:
        """The rule as JSON values."""
        return [self.group, self.kind, self.name, self.namespace, self.what]


def ignore_rules(spec: Mapping[str, Any]) -> tuple[IgnoreRule, ...]:
    """Read the rules of an application's spec."""
    return tuple(
        IgnoreRule(
            str(entry.get("group") or ""),
            str(entry.get("kind") or ""),
            str(entry.get("name") or ""),
            str(entry.get("namespace") or ""),
            _what(entry),
        )
        for entry in spec.get("ignoreDifferences") or ()
    )


def site_rules(by_kind: Mapping[str, Mapping[str, Any]]) -> tuple[IgnoreRule, ...]:
    """Read the rules of the cluster's settings, by `<group>/<Kind>`; `*/*` or `all` is every kind."""
    found = []
    for name, entry in by_kind.items():
        group, _, kind = ("*", "/", "*") if name in _EVERY else name.rpartition("/")
        what = _what(entry)
        if what:
            found.append(IgnoreRule(group, kind, "", "", what))
    return tuple(found)


def ignored(rules: Iterable[IgnoreRule], key: Key) -> Ignored:
    """Return what is ignored in an object, each thing once."""
    pointers: dict[Path, None] = {}
    expressions: dict[str, None] = {}
    managers: dict[str, None] = {}
    for rule in rules:
        if rule.covers(key):
            pointers.update(dict.fromkeys(rule.what.pointers))
            expressions.update(dict.fromkeys(rule.what.expressions))
            managers.update(dict.fromkeys(rule.what.managers))
    return Ignored(tuple(pointers), tuple(expressions), tuple(managers))


def parse_pointer(pointer: str) -> Path:
    """Split a JSON pointer (RFC 6901) into its steps."""
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])


def _what(entry: Mapping[str, Any]) -> Ignored:
    return Ignored(
        tuple(parse_pointer(pointer) for pointer in _texts(entry.get("jsonPointers"))),
        tuple(_texts(entry.get("jqPathExpressions"))),
        tuple(_texts(entry.get("managedFieldsManagers"))),
    )


def _texts(value: Any) -> list[str]:
    return [str(one) for one in value if one] if isinstance(value, list | tuple) else []
