"""Server-side apply: merge a configuration into the live object, remove what its applier no longer names, keep to who owns what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .comparing import compare
from .extracting import fields_of, with_named_fields
from .field_sets import Fields, difference, intersection, paths, union, without
from .managed_fields import (
    APPLY,
    STRIPPED,
    Manager,
    Managers,
    Owned,
    Writer,
    after_update,
    conflicts,
    released,
    unmanaged,
)
from .merging import merge
from .removing import remove

if TYPE_CHECKING:
    from .schema import Schema
    from .values import Manifest

BEFORE_FIRST_APPLY = "before-first-apply"
"""Owns what a live object held when nobody's ownership was on record yet."""


class ApplyConflictError(Exception):
    """The configuration changes fields that other managers own."""

    def __init__(self, found: dict[Manager, Fields]) -> None:
        self.causes = [(manager.shown(), path) for manager, fields in found.items() for path in paths(fields)]
        count = len(self.causes)
        if count == 1:
            text = f"conflict with {self.causes[0][0]}: {self.causes[0][1]}"
        else:
            text = "\n".join(_block(manager, fields) for manager, fields in found.items())
        super().__init__(f"Apply failed with {count} conflict{'' if count == 1 else 's'}: {text}")


def _block(manager: Manager, fields: Fields) -> str:
    return f"conflicts with {manager.shown()}:\n" + "\n".join(f"- {path}" for path in paths(fields))


@dataclass(frozen=True, slots=True)
class Applied:
    """What an apply makes of the live object. `changed` is false when the merge gave the live object back."""

    manifest: Manifest
    managers: Managers
    changed: bool


def apply(
    schema: Schema, live: Manifest, config: Manifest, managers: Managers, writer: Writer, *, force: bool
) -> Applied:
    """Apply a configuration that was checked against its type. Raises ApplyConflictError unless forced."""
    live = unmanaged(live)
    me = writer.identity(APPLY)
    last = managers.get(me)
    named = without(fields_of(schema, config), writer.ignored or {})
    managers = {**managers, me: Owned(named, writer.api_version, last.time if last else "")}
    merged = merge(schema, live, config)
    if last is not None and difference(last.fields, named):
        merged = _prune(schema, merged, last.fields, managers)
    comparison = compare(schema, live, merged).ignoring(writer.ignored or {})
    found = {} if force else conflicts(managers, comparison, me)
    if found:
        raise ApplyConflictError(found)
    managers = released(managers, comparison, keep=me)
    changed = live != merged
    _own(managers, me, difference(named, STRIPPED), writer if changed else None)
    return Applied(merged, managers, changed)


def _own(managers: Managers, me: Manager, fields: Fields, writer: Writer | None) -> None:
    """Give the applier what it named; the time of its entry moves only if the object changed."""
    before = managers.pop(me, None)
    if fields and before is not None:
        managers[me] = Owned(fields, before.api_version, writer.time if writer is not None else before.time)


def adopt_live(schema: Schema, empty: Manifest, live: Manifest, writer: Writer) -> Managers:
    """Put what a live object holds on record, when it has no managers and is applied to for the first time."""
    before = Writer(BEFORE_FIRST_APPLY, writer.api_version, writer.time, writer.subresource, writer.ignored)
    return after_update(schema, empty, live, {}, before)


def _prune(schema: Schema, merged: Manifest, last: Fields, managers: Managers) -> Manifest:
    """Remove what the applier named last time and nobody names now."""
    everything = with_named_fields(schema, fields_of(schema, merged))
    previous = with_named_fields(schema, last)
    pruned = remove(schema, merged, previous)
    owned: Fields = {}
    for each in managers.values():
        owned = union(owned, each.fields)
    kept = union(with_named_fields(schema, fields_of(schema, pruned)), with_named_fields(schema, owned))
    pruned = remove(schema, merged, difference(everything, kept))
    gone = difference(everything, with_named_fields(schema, fields_of(schema, pruned)))
    result: Manifest = remove(schema, merged, intersection(gone, previous))
    return result
