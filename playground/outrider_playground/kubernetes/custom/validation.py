"""Checking custom resources against their OpenAPI schema. Rules written in CEL are not evaluated."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from ..errors import Cause, invalid_value, required_value, unsupported_value
from ..values import json_type

if TYPE_CHECKING:
    from collections.abc import Iterator

_JSON_TYPES: Final = {
    "object": ("object",),
    "array": ("array",),
    "string": ("string",),
    "integer": ("number",),
    "number": ("number",),
    "boolean": ("bool",),
}


def causes_of(structure: dict[str, Any], value: Any, path: str) -> Iterator[Cause]:
    """Find what the schema refuses about a value."""
    if value is None and structure.get("nullable"):
        return
    wrong = _type_problem(structure, value, path)
    if wrong is not None:
        yield wrong
        return
    if "enum" in structure and value not in structure["enum"]:
        yield unsupported_value(path, str(value), [str(each) for each in structure["enum"]])
    if isinstance(value, dict):
        yield from _object_causes(structure, value, path)
    elif isinstance(value, list):
        yield from _array_causes(structure, value, path)
    elif isinstance(value, str):
        yield from _string_causes(structure, value, path)
    elif not isinstance(value, bool) and isinstance(value, int | float):
        yield from _number_causes(structure, value, path)
    yield from _combined_causes(structure, value, path)


def _type_problem(structure: dict[str, Any], value: Any, path: str) -> Cause | None:
    if structure.get("x-kubernetes-int-or-string"):
        allowed: tuple[str, ...] = ("number", "string")
        wanted = "integer,string"
    else:
        wanted = structure.get("type", "")
        allowed = _JSON_TYPES.get(wanted, ())
    if not allowed:
        return None
    found = json_type(value)
    if found in allowed and not (wanted == "integer" and isinstance(value, float) and value != int(value)):
        return None
    shown = {"bool": "boolean", "number": "number"}.get(found, found)
    problem = f'{path} in body must be of type {wanted}: "{shown}"'
    return Cause("FieldValueTypeInvalid", f"Invalid value: {json.dumps(shown)}: {problem}", path)


def _object_causes(structure: dict[str, Any], value: dict[str, Any], path: str) -> Iterator[Cause]:
    for name in structure.get("required") or ():
        if name not in value:
            yield required_value(_join(path, name))
    properties = structure.get("properties") or {}
    more = structure.get("additionalProperties")
    for name, inner in value.items():
        if name in properties:
            yield from causes_of(properties[name], inner, _join(path, name))
        elif isinstance(more, dict):
            yield from causes_of(more, inner, _join(path, name))
    for word, least in (("minProperties", True), ("maxProperties", False)):
        yield from _size(structure, word, len(value), path, "properties", least=least)


def _array_causes(structure: dict[str, Any], value: list[Any], path: str) -> Iterator[Cause]:
    items = structure.get("items") or {}
    for place, inner in enumerate(value):
        yield from causes_of(items, inner, f"{path}[{place}]")
    for word, least in (("minItems", True), ("maxItems", False)):
        yield from _size(structure, word, len(value), path, "items", least=least)
    keys = structure.get("x-kubernetes-list-map-keys")
    if structure.get("x-kubernetes-list-type") in {"set", "map"}:
        yield from _duplicates(value, keys, path)


def _duplicates(value: list[Any], keys: list[str] | None, path: str) -> Iterator[Cause]:
    seen: list[Any] = []
    for place, item in enumerate(value):
        identity = {key: item.get(key) for key in keys} if keys and isinstance(item, dict) else item
        if identity in seen:
            yield Cause("FieldValueDuplicate", f"Duplicate value: {json.dumps(identity)}", f"{path}[{place}]")
        seen.append(identity)


def _string_causes(structure: dict[str, Any], value: str, path: str) -> Iterator[Cause]:
    pattern = structure.get("pattern")
    if pattern and not _found(pattern, value):
        yield invalid_value(path, json.dumps(value), f"{path} in body should match '{pattern}'")
    for word, least in (("minLength", True), ("maxLength", False)):
        yield from _size(structure, word, len(value), path, "chars", least=least)


def _found(pattern: str, value: str) -> bool:
    """Search as Go's regexp does; a pattern that only Go understands refuses nothing."""
    try:
        return re.search(pattern.replace(r"\z", r"\Z"), value) is not None
    except re.error:
        return True


def _number_causes(structure: dict[str, Any], value: float, path: str) -> Iterator[Cause]:
    low, high = structure.get("minimum"), structure.get("maximum")
    shown = json.dumps(value)
    if low is not None and (value < low or (value == low and structure.get("exclusiveMinimum"))):
        words = "greater than" if structure.get("exclusiveMinimum") else "greater than or equal to"
        yield invalid_value(path, shown, f"{path} in body should be {words} {low}")
    if high is not None and (value > high or (value == high and structure.get("exclusiveMaximum"))):
        words = "less than" if structure.get("exclusiveMaximum") else "less than or equal to"
        yield invalid_value(path, shown, f"{path} in body should be {words} {high}")
    multiple = structure.get("multipleOf")
    if multiple and value % multiple:
        yield invalid_value(path, shown, f"{path} in body should be a multiple of {multiple}")


def _size(
    structure: dict[str, Any], word: str, size: int, path: str, unit: str, *, least: bool
) -> Iterator[Cause]:
    bound = structure.get(word)
    if bound is None or (size >= bound if least else size <= bound):
        return
    words = "at least" if least else "at most"
    if least:
        yield invalid_value(path, str(size), f"{path} in body should have {words} {bound} {unit}")
    else:
        yield Cause("FieldValueTooLong", f"Too long: may not be more than {bound} {unit}", path)


def _combined_causes(structure: dict[str, Any], value: Any, path: str) -> Iterator[Cause]:
    for part in structure.get("allOf") or ():
        yield from causes_of(part, value, path)
    for word in ("anyOf", "oneOf"):
        parts = structure.get(word)
        if not parts or structure.get("x-kubernetes-int-or-string"):
            continue
        fitting = sum(1 for part in parts if not any(causes_of(part, value, path)))
        if fitting == 0 or (word == "oneOf" and fitting > 1):
            expected = "one of" if word == "anyOf" else "one and only one of"
            yield invalid_value(
                path, json.dumps(value), f"{path} in body must validate {expected} the schemas ({word})"
            )
    refused = structure.get("not")
    if refused and not any(causes_of(refused, value, path)):
        yield invalid_value(path, json.dumps(value), f"{path} in body must not validate the schema (not)")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
