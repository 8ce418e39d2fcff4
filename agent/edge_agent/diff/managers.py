"""Fields that are somebody else's: `managedFieldsManagers` of an ignore rule. Pure.

As in Argo CD, what counts is a field that the manager holds in the live object and that both objects have,
with whatever value; what one of them lacks is a difference still. Names of managers are compared as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from edge_agent.diff.owned import at_step, has_keys

if TYPE_CHECKING:
    from edge_agent.cluster.names import Object

Fields = Mapping[str, Any]
"""A field set in the form of `fieldsV1`."""


def fields_of(live: Mapping[str, Any], managers: Iterable[str]) -> tuple[Fields, ...]:
    """Return the field sets that the managers hold."""
    wanted = frozenset(managers)
    entries = (live.get("metadata") or {}).get("managedFields") or () if wanted else ()
    return tuple(entry.get("fieldsV1") or {} for entry in entries if entry.get("manager") in wanted)


def adopted(found: Object, live: Mapping[str, Any], fields: Iterable[Fields]) -> Object:
    """Return the object with the live values of the fields that both have: so it doesn't differ in them, and
    applied it leaves them as they are.
    """
    for held in fields:
        found = _adopted(found, live, held)
    return found


def _adopted(found: Any, live: Any, fields: Fields) -> Any:
    if isinstance(found, Mapping) and isinstance(live, Mapping):
        changed = {}
        for step, below in fields.items():
            name = step[2:]
            if step[:2] == "f:" and found.get(name) is not None and live.get(name) is not None:
                changed[name] = _adopted(found[name], live[name], below) if below else live[name]
        return {**found, **changed}
    if isinstance(found, list) and isinstance(live, list):
        items = list(found)
        for position, item, below in _items(found, live, fields):
            items[position] = _adopted(items[position], item, below)
        return items
    return found


def _items(found: list[Any], live: list[Any], fields: Fields) -> Iterator[tuple[int, Any, Fields]]:
    """Yield the items of keyed lists that both have: the position in the one, the other's item, what is held."""
    for step, below in fields.items():
        if step[:2] != "k:":
            continue
        item = at_step(step, live)
        for position, candidate in enumerate(found):
            if item is not None and has_keys(candidate, step):
                yield position, item, below
