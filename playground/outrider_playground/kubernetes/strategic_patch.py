"""Strategic merge patch: a merge patch that knows the type it patches, with directives for what a merge can't say.

Lists merge by key, or as sets of scalars, where the type says so. Directives: `$patch: delete | replace | merge`, `$retainKeys`,
`$deleteFromPrimitiveList/<field>` and `$setElementOrder/<field>`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .schema import Field, Schema

_DIRECTIVE: Final = "$patch"
_RETAIN: Final = "$retainKeys"
_DELETE_PREFIX: Final = "$deleteFromPrimitiveList/"
_ORDER_PREFIX: Final = "$setElementOrder/"


class StrategicPatchError(Exception):
    """A patch holds a directive that makes no sense."""


def apply_strategic_patch(schema: Schema, document: dict[str, Any], patch: Any) -> dict[str, Any]:
    """Return the document with the patch merged into it."""
    if not isinstance(patch, dict):
        raise StrategicPatchError("a strategic merge patch is an object")
    return _merge_maps(schema, document, patch)


def _merge_maps(schema: Schema, document: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    directive = patch.get(_DIRECTIVE)
    if directive == "replace":
        fresh: dict[str, Any] = _clean(patch)
        return fresh
    if directive == "delete":
        return {}
    if directive not in {None, "merge"}:
        raise StrategicPatchError(f"unknown patch type: {directive}")
    out = _retained(document, patch)
    for key, value in patch.items():
        if not key.startswith("$"):
            _merge_key(schema, out, key, value)
    for key, value in patch.items():
        if key.startswith(_DELETE_PREFIX):
            name = key[len(_DELETE_PREFIX) :]
            out[name] = [item for item in out.get(name) or [] if item not in value]
    _order_lists(schema, document, patch, out)
    return out


def _order_lists(
    schema: Schema, document: dict[str, Any], patch: dict[str, Any], out: dict[str, Any]
) -> None:
    """Order what was merged: as `$setElementOrder` says, or else as the patch lists it."""
    for key, value in patch.items():
        name = key.removeprefix(_ORDER_PREFIX)
        field = schema.fields.get(name)
        if not _merges(field, value) or field is None or not isinstance(out.get(name), list):
            continue
        if key == name and (_ORDER_PREFIX + name in patch or _replaces(value)):
            continue
        wanted = [_identity(item, field.merge_key) for item in value]
        before = [_identity(item, field.merge_key) for item in document.get(name) or ()]
        out[name] = _ordered(out[name], field.merge_key, wanted, before)


def _merges(field: Field | None, value: Any) -> bool:
    return isinstance(value, list) and field is not None and "merge" in field.patch.split(",")


def _replaces(patch: list[Any]) -> bool:
    return any(isinstance(item, dict) and item.get(_DIRECTIVE) == "replace" for item in patch)


def _ordered(items: list[Any], key: str, wanted: list[Any], before: list[Any]) -> list[Any]:
    """Keep the order wanted for what the patch names, and put all else where it stood among that before.

    An item that only the patch has comes before those that only the document has.
    """
    named = sorted(
        (item for item in items if _identity(item, key) in wanted),
        key=lambda item: wanted.index(_identity(item, key)),
    )
    rest = [item for item in items if _identity(item, key) not in wanted]
    out: list[Any] = []
    while named and rest:
        mine, theirs = _identity(rest[0], key), _identity(named[0], key)
        first = mine in before and theirs in before and before.index(mine) < before.index(theirs)
        out.append((rest if first else named).pop(0))
    return out + named + rest


def _retained(document: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    retain = patch.get(_RETAIN)
    if retain is None:
        return dict(document)
    if not isinstance(retain, list):
        raise StrategicPatchError("invalid patch format of retainKeys")
    return {key: value for key, value in document.items() if key in retain}


def _merge_key(schema: Schema, out: dict[str, Any], key: str, value: Any) -> None:
    if value is None:
        out.pop(key, None)
        return
    field = schema.fields.get(key)
    before = out.get(key)
    if isinstance(value, dict):
        out[key] = _merge_maps(schema.child(key), before if isinstance(before, dict) else {}, value)
    elif field is not None and _merges(field, value):
        out[key] = _merge_lists(field, before if isinstance(before, list) else [], value)
    else:
        out[key] = _clean(value)


def _merge_lists(field: Field, document: list[Any], patch: list[Any]) -> list[Any]:
    if not field.merge_key:
        return document + [item for item in patch if item not in document]
    if _replaces(patch):
        return [_clean(item) for item in patch if item.get(_DIRECTIVE) != "replace" or len(item) > 1]
    out = list(document)
    for item in patch:
        _merge_item(field, out, item)
    return out


def _merge_item(field: Field, out: list[Any], item: Any) -> None:
    key = field.merge_key
    if not isinstance(item, dict) or key not in item:
        raise StrategicPatchError(f"map does not contain declared merge key: {key}")
    place = next((at for at, each in enumerate(out) if each.get(key) == item[key]), None)
    if item.get(_DIRECTIVE) == "delete":
        out[:] = [each for each in out if each.get(key) != item[key]]
    elif place is None:
        out.append(_clean(item))
    else:
        items = field.schema.items
        assert items is not None  # noqa: S101  # a list's type always has items
        out[place] = _merge_maps(items, out[place], item)


def _identity(item: Any, key: str) -> Any:
    return item.get(key) if key and isinstance(item, dict) else item


def _clean(value: Any) -> Any:
    """Drop nulls and directives from what is new to the document."""
    if isinstance(value, dict):
        return {
            key: _clean(inner)
            for key, inner in value.items()
            if inner is not None and not key.startswith("$")
        }
    return [_clean(item) for item in value] if isinstance(value, list) else value
