"""Objects read from protobuf: what typed clients written in Go, such as parts of kubectl, send. Answers are always JSON.

A body starts with four magic bytes; then comes an envelope with the object's kind and the object as bytes. How its fields are numbered is in the
types' data. Types whose JSON form is not that of their message (the schemas within CustomResourceDefinitions) can't be read.
"""

from __future__ import annotations

import base64
import json
import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from .schema import ANY, ATOMIC_ANY, builtin_kinds, named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .schema import Schema
    from .values import Manifest

MEDIA_TYPE: Final = "application/vnd.kubernetes.protobuf"
_MAGIC: Final = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

_Tree = dict[int, Any]
_trees: dict[str, _Tree] = {}


def read_protobuf(body: bytes) -> Manifest:
    """Read an object of a built-in kind. Raises ValueError for what can't be read."""
    if not body.startswith(_MAGIC):
        raise ValueError("the body does not start as protobuf of Kubernetes does")
    try:
        envelope = dict(_fields(body[len(_MAGIC) :]))
        head = dict(_fields(_bytes(envelope.get(1, b""))))
        api_version, kind = (_bytes(head.get(number, b"")).decode() for number in (1, 2))
        schema = _type_of(api_version, kind)
        if schema is None:
            raise ValueError(f"the type of {api_version} {kind} is not known")
        return {"apiVersion": api_version, "kind": kind, **_message(schema, _bytes(envelope.get(2, b"")))}
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise ValueError(f"the body ends early or holds no text where it should: {error}") from error


def _type_of(api_version: str, kind: str) -> Schema | None:
    if kind == "DeleteOptions":
        return named("meta.v1.DeleteOptions")
    name = builtin_kinds().get(f"{api_version}/{kind}")
    return named(name) if name is not None else None


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a field has another wire type than its own")  # noqa: TRY004  # callers expect one kind of error
    return value


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Go through the fields of a message: number, and value as an int or bytes."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, value
        elif wire == _BYTES:
            size, at = _varint(data, at)
            if at + size > len(data):
                raise IndexError("a field is longer than its message")
            yield number, data[at : at + size]
            at += size
        elif wire in {_FIXED64, _FIXED32}:
            size = 8 if wire == _FIXED64 else 4
            yield number, struct.unpack("<d" if size == 8 else "<f", data[at : at + size])[0]
            at += size
        else:
            raise ValueError(f"wire type {wire} is not in use")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _tree(schema: Schema) -> _Tree:
    """Return a struct's fields by number; embedded messages are trees themselves."""
    known = _trees.get(schema.name)
    if known is None:
        known = {}
        for name, field in schema.fields.items():
            branch = known
            for number in field.numbers[:-1]:
                branch = branch.setdefault(number, {})
            if field.numbers:
                branch[field.numbers[-1]] = (name, field.schema)
        _trees[schema.name] = known
    return known


def _message(schema: Schema, data: bytes) -> dict[str, Any]:
    out: dict[str, Any] = {}
    _collect(_tree(schema), data, out)
    return out


def _collect(tree: _Tree, data: bytes, out: dict[str, Any]) -> None:
    for number, raw in _fields(data):
        found = tree.get(number)
        if isinstance(found, dict):
            _collect(found, _bytes(raw), out)
        elif found is not None:
            _put(out, found[0], found[1], raw)


def _put(out: dict[str, Any], name: str, schema: Schema, raw: Any) -> None:
    if schema.shape == "list":
        out.setdefault(name, []).append(_value(schema.items or ANY, raw))
    elif (
        schema.shape == "map" and not schema.fields and schema.values is not None and schema.values is not ANY
    ):
        entry = dict(_fields(_bytes(raw)))
        value = _value(schema.values, entry[2]) if 2 in entry else _value(schema.values, b"")
        out.setdefault(name, {})[_bytes(entry.get(1, b"")).decode()] = value
    else:
        out[name] = _value(schema, raw)


def _value(schema: Schema, raw: Any) -> Any:
    if schema.shape == "map" and schema.fields:
        return _message(schema, _bytes(raw))
    if schema.shape == "list":  # the values of a map of lists are messages of their own
        return [_value(schema.items or ANY, item) for _, item in _fields(_bytes(raw))]
    if schema.shape in {"map", "any"}:
        if schema is ATOMIC_ANY:
            raise ValueError("a type has another form in JSON than in protobuf")
        held = dict(_fields(_bytes(raw))).get(1, b"null")
        return json.loads(_bytes(held))
    read: Callable[[Any], Any] = _SCALARS.get(schema.scalar, _text)
    return read(raw)


def _text(raw: Any) -> str:
    return _bytes(raw).decode()


def _integer(raw: Any) -> int:
    return int(raw) - (1 << 64) if raw >= 1 << 63 else int(raw)


def _number(raw: Any) -> float:
    return float(raw)


def _boolean(raw: Any) -> bool:
    return bool(raw)


def _encoded(raw: Any) -> str:
    return base64.b64encode(_bytes(raw)).decode()


def _time(raw: Any) -> str | None:
    fields = dict(_fields(_bytes(raw)))
    if not fields:
        return None
    moment = datetime.fromtimestamp(_integer(fields.get(1, 0)), UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _quantity(raw: Any) -> str:
    return _bytes(dict(_fields(_bytes(raw))).get(1, b"0")).decode() or "0"


def _int_or_string(raw: Any) -> int | str:
    fields = dict(_fields(_bytes(raw)))
    return _bytes(fields.get(3, b"")).decode() if fields.get(1) == 1 else _integer(fields.get(2, 0))


_SCALARS: Final[dict[str, Callable[[Any], Any]]] = {
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "bytes": _encoded,
    "time": _time,
    "quantity": _quantity,
    "int-or-string": _int_or_string,
}
