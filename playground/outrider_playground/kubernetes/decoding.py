"""Read an object as the API server's decoder does: drop and report unknown fields, refuse wrong types, write every value in its one form.

Fields that Go writes even when unset come in, fields that count as unset when zero go out, so that two objects that mean the same are equal.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from .quantities import QuantityError, canonical
from .values import json_type

if TYPE_CHECKING:
    from .schema import Field, Schema

_PLAIN = {"string": str, "integer": int, "boolean": bool, "time": str}
"""The scalars whose usual JSON type needs no further look."""

_FITTING = {
    "integer": ("number",),
    "number": ("number",),
    "boolean": ("bool",),
    "int-or-string": ("string", "number"),
    "untyped": ("string", "number", "bool"),
}
"""The JSON types that a scalar may have, for those that are not plain strings."""


class DecodingError(Exception):
    """A value can't be read as its type. `path` is dotted: `spec.replicas`."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}" if path else problem)
        self.path = path
        self.problem = problem


def decode(schema: Schema, value: Any, unknown: list[str], path: str = "") -> Any:
    """Return the value as the server would keep it; append the paths of unknown fields to `unknown`."""
    shape = schema.shape
    if shape == "map":
        return _decode_map(schema, value, unknown, path)
    if shape == "list":
        return _decode_list(schema, value, unknown, path)
    return value if shape == "any" else _decode_scalar(schema.scalar, value, path)


def _decode_map(schema: Schema, value: Any, unknown: list[str], path: str) -> Any:
    if not isinstance(value, dict):
        raise DecodingError(
            path,
            f"json: cannot unmarshal {json_type(value)} into Go struct field {path} of type {schema.name or 'map'}",
        )
    if not schema.fields:
        inner = schema.values
        if inner is None or inner.shape == "any":
            return value
        return {
            key: decode(inner, item, unknown, f"{path}.{key}")
            for key, item in value.items()
            if item is not None
        }
    return _decode_struct(schema, value, unknown, path)


def _decode_struct(schema: Schema, value: dict[str, Any], unknown: list[str], path: str) -> dict[str, Any]:
    out: dict[str, Any] = {}
    fields = schema.fields
    for key, item in value.items():
        field = fields.get(key)
        if field is None:
            unknown.append(f"{path}.{key}" if path else key)
        elif item is not None:
            kept = decode(field.schema, item, unknown, f"{path}.{key}" if path else key)
            if kept or not field.omit_zero:
                out[key] = kept
    for key, field in schema.filled():
        if key not in out:
            out[key] = _filled_in(field, path)
    return out


def _filled_in(field: Field, path: str) -> Any:
    if isinstance(field.always, dict):
        return _decode_struct(field.schema, {}, [], path)
    return field.default or field.always


def _decode_list(schema: Schema, value: Any, unknown: list[str], path: str) -> list[Any]:
    if not isinstance(value, list):
        raise DecodingError(
            path,
            f"json: cannot unmarshal {json_type(value)} into Go struct field {path} of type []{schema.name or 'list'}",
        )
    items = schema.items
    if items is None or items.shape == "any":
        return value
    return [
        decode(items, item, unknown, f"{path}[{place}]")
        for place, item in enumerate(value)
        if item is not None
    ]


def _decode_scalar(kind: str, value: Any, path: str) -> Any:
    if _PLAIN.get(kind) is type(value):
        return value
    found = json_type(value)
    if kind == "quantity":
        return _decode_quantity(value, path)
    if kind == "bytes" and found == "string":
        return _decode_bytes(value, path)
    if kind == "integer" and found == "number" and not isinstance(value, int):
        if value != int(value):
            raise DecodingError(
                path, f"json: cannot unmarshal number {value} into Go struct field {path} of type int"
            )
        return int(value)
    fitting = _FITTING.get(kind, ("string",))
    if found not in fitting:
        raise DecodingError(
            path, f"json: cannot unmarshal {found} into Go struct field {path} of type {kind}"
        )
    return value


def _decode_quantity(value: Any, path: str) -> str:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            return canonical(str(value).strip())
        except QuantityError:
            pass
    raise DecodingError(
        path, "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    )


def _decode_bytes(value: str, path: str) -> str:
    try:
        base64.b64decode(value.replace("\n", ""), validate=True)
    except (binascii.Error, ValueError):
        raise DecodingError(path, "illegal base64 data at input byte 0") from None
    return value


def empty(schema: Schema) -> dict[str, Any]:
    """Return a struct in which nothing is set, as Go would write it."""
    return {key: _zero(field) for key, field in schema.always_written()}


def _zero(field: Field) -> Any:
    return empty(field.schema) if isinstance(field.always, dict) else field.always
