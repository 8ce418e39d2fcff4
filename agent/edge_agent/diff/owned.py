"""What of a live object is the agent's own: the fields that its field manager holds. Pure.

`metadata.managedFields` says, field by field, who set it last. What is asked of it:

- has anything that the agent set been changed, removed or taken over since it was judged last?
  (`owned_digest`)
- does the agent hold everything that the desired object has, so that the first question is enough to see
  drift? (`holds_all`)
- does the agent still hold a field that the desired object no longer has? (`left_over`)
- what would an apply change of what it is answerable for? (`differences`)

The format is `FieldsV1` (Kubernetes, structured-merge-diff): `f:<name>` a field, `k:<keys>` an item of a
keyed list, `v:<value>` an item of a set, `i:<index>` an item by position, `.` the thing itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from outrider.manifests.names import SERVER_METADATA

DIGEST_BYTES = 16

Steps = tuple[str, ...]
"""A path in the terms of `fieldsV1`."""

# Who an object is stands in no field set.
_NAMES = frozenset({"name", "namespace"})


def owned_digest(live: Mapping[str, Any], manager: str) -> bytes:
    """Return a digest of the fields that the manager holds and of their values. It changes when drift is
    possible, never with the status or with what others hold.
    """
    held = []
    for version, fields in _held(live, manager):
        # Field names are those of the version that was applied: read in another one, the whole object counts.
        same = version == live.get("apiVersion")
        held.append([version, fields, _values(fields, live) if same else _settled(live)])
    return digest(held)


def content_digest(live: Mapping[str, Any]) -> bytes:
    """Return a digest of everything but the status and what the server alone writes. While it is the same,
    so is every comparison.
    """
    return digest({**_settled(live), "metadata": _settled_metadata(live)})


def holds_all(live: Mapping[str, Any], desired: Mapping[str, Any], manager: str) -> bool:
    """Say whether the manager holds every field that the desired object has."""
    held = [fields for version, fields in _held(live, manager) if version == desired.get("apiVersion")]
    wanted = {name: value for name, value in desired.items() if name not in ("apiVersion", "kind", "status")}
    metadata = desired.get("metadata") or {}
    wanted["metadata"] = {
        name: value for name, value in metadata.items() if name not in _NAMES | SERVER_METADATA
    }
    return len(held) == 1 and _holds_all(held[0], wanted)


def digest(value: Any) -> bytes:
    """Return a short digest of JSON values that doesn't depend on the order of keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()


def left_over(live: Mapping[str, Any], desired: Mapping[str, Any], manager: str) -> Iterator[str]:
    """Yield the paths of fields that the manager holds, that the live object has (what is ignored was taken
    out of it) and that the desired one doesn't have.
    """
    for version, fields in _held(live, manager):
        if version == desired.get("apiVersion"):
            yield from _left_over(fields, live, desired, "")


def holdings(found: Mapping[str, Any], manager: str) -> list[Mapping[str, Any]] | None:
    """Return the field sets that a manager holds; None where they speak of another version of the kind than
    the object does, or nothing is held.
    """
    held = list(_held(found, manager))
    same = all(version == found.get("apiVersion") for version, _ in held)
    return [fields for _, fields in held] if held and same else None


def differences(fields: Mapping[str, Any], before: Any, after: Any) -> Iterator[tuple[Steps, Any, Any]]:
    """Yield where two objects differ in the fields of a set, with both values; None stands for absence."""
    yield from _differences(fields, before, after, ())


def _differences(
    fields: Mapping[str, Any], before: Any, after: Any, steps: Steps
) -> Iterator[tuple[Steps, Any, Any]]:
    if not fields and before != after:
        yield steps, before, after
    for step, below in fields.items():
        if step != ".":
            yield from _differences(below, at_step(step, before), at_step(step, after), (*steps, step))


def _holds_all(fields: Mapping[str, Any], desired: Any) -> bool:
    """Without steps below it a field is held as a whole."""
    if not fields:
        return True
    if isinstance(desired, Mapping):
        return all(
            f"f:{name}" in fields and _holds_all(fields[f"f:{name}"], value)
            for name, value in desired.items()
            if value is not None and value != {}
        )
    if isinstance(desired, list):
        return all(_item_is_held(fields, item) for item in desired)
    return True


def _item_is_held(fields: Mapping[str, Any], item: Any) -> bool:
    for step, below in fields.items():
        if step[:2] == "k:" and has_keys(item, step):
            return _holds_all(below, item)
    return f"v:{json.dumps(item)}" in fields


def _held(live: Mapping[str, Any], manager: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the version and the field set of each of a manager's entries, without what it wrote to
    subresources.
    """
    for entry in (live.get("metadata") or {}).get("managedFields") or ():
        if entry.get("manager") == manager and not entry.get("subresource"):
            fields = {
                name: part for name, part in (entry.get("fieldsV1") or {}).items() if name != "f:status"
            }
            yield str(entry.get("apiVersion") or ""), fields


def _settled(live: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what changes by itself: metadata and status."""
    return {name: value for name, value in live.items() if name not in ("metadata", "status")}


def _settled_metadata(live: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in (live.get("metadata") or {}).items() if name not in SERVER_METADATA
    }


def _values(fields: Mapping[str, Any], live: Any) -> Any:
    """Return the live values at the fields, in the shape of the fields."""
    if not fields:
        return live
    found = {step: _values(below, at_step(step, live)) for step, below in fields.items() if step != "."}
    return found or None


def _left_over(fields: Mapping[str, Any], live: Any, desired: Any, path: str) -> Iterator[str]:
    for step, below in fields.items():
        found = None if step == "." else at_step(step, live)
        if found is None:
            continue
        wanted, here = at_step(step, desired), f"{path}/{step[2:]}"
        if wanted is None:
            yield here
        elif below:
            yield from _left_over(below, found, wanted, here)


def at_step(step: str, value: Any) -> Any:
    """Return what one step of a field path leads to, None where there is nothing."""
    how, what = step[:2], step[2:]
    if how == "f:":
        return value.get(what) if isinstance(value, dict) else None
    if not isinstance(value, list):
        return None
    if how == "i:":
        return value[int(what)] if int(what) < len(value) else None
    if how == "v:":
        wanted = json.loads(what)
        return wanted if wanted in value else None
    keys = _keys(step)
    for item in value:
        if _has(item, keys):
            return item
    return None


def has_keys(item: Any, step: str) -> bool:
    """Say whether a list's item is the one that a step `k:` names. A key that a desired item leaves out is one
    that the server defaults (`protocol: TCP`).
    """
    return _has(item, _keys(step))


def _has(item: Any, keys: tuple[tuple[str, Any], ...]) -> bool:
    return isinstance(item, dict) and all(item.get(name, value) == value for name, value in keys)


# Each object of a kind has the same few steps, and each event of each object asks for them.
@lru_cache(maxsize=1024)
def _keys(step: str) -> tuple[tuple[str, Any], ...]:
    return tuple(json.loads(step[2:]).items())
