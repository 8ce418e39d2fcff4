"""Canonical msgpack, and messages as versioned arrays.

Canonical: map keys sorted, so that equal values have equal bytes and a digest names a value. A message is
`[version, field, field, …]`: positions instead of names, because a name costs bytes on every message of every edge.
Fields are added at the end with a default and never reused; a receiver ignores fields that it does not know and refuses a
version that it does not know. Decoding is bounded in size and depth and never trusts a type.
"""

import dataclasses
import types
import typing
from functools import cache
from typing import Any, ClassVar, Self

import msgpack

MESSAGE_MAX_BYTES = 1 << 20
# The server's max_payload: nothing larger arrives.


class MalformedMessage(ValueError):
    """Bytes that are no message of the expected kind. Count it, log it once per kind, ignore it."""


class UnknownVersion(MalformedMessage):
    """A message of a version that this process does not speak: the other side is more than one minor version away."""


def canonical(value: Any) -> bytes:
    """Return the canonical msgpack of JSON-like data (also bytes): equal values give equal bytes."""
    packed: bytes = msgpack.packb(_sorted(value), use_bin_type=True)
    return packed


def pack(value: Any) -> bytes:
    """Return msgpack as it comes: for what is read once and never compared."""
    packed: bytes = msgpack.packb(value, use_bin_type=True)
    return packed


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [_sorted(item) for item in value]
    return value


def unpack(data: bytes, max_bytes: int = MESSAGE_MAX_BYTES) -> Any:
    """Return what `data` holds; MalformedMessage when it is too large, too deep or no msgpack."""
    if len(data) > max_bytes:
        raise MalformedMessage(f"{len(data)} bytes, {max_bytes} are allowed")
    try:
        return msgpack.unpackb(data, raw=False, strict_map_key=True)
    except (
        ValueError,
        msgpack.exceptions.UnpackException,
        msgpack.exceptions.StackError,
        RecursionError,
    ) as error:
        raise MalformedMessage(f"not msgpack: {type(error).__name__}") from error


@dataclasses.dataclass(frozen=True)
class Message:
    """Base of every message: frozen dataclasses whose fields are msgpack's own types, or other messages' bytes."""

    VERSION: ClassVar[int] = 1

    def pack(self) -> bytes:
        """Return the bytes of this message. Trailing fields at their default are left out."""
        names, defaults = _layout(type(self))  # type: ignore[arg-type]
        values = [getattr(self, name) for name in names]
        last = len(values)
        while last and values[last - 1] == defaults[last - 1]:
            last -= 1
        packed: bytes = msgpack.packb([self.VERSION, *values[:last]], use_bin_type=True)
        return packed

    @classmethod
    def unpack(cls, data: bytes, max_bytes: int = MESSAGE_MAX_BYTES) -> Self:
        """Return the message in `data`; MalformedMessage or UnknownVersion when it is none of this kind."""
        values = unpack(data, max_bytes)
        if not isinstance(values, list) or not values or type(values[0]) is not int:
            raise MalformedMessage(f"{cls.__name__}: not a versioned array")
        if values[0] != cls.VERSION:
            raise UnknownVersion(f"{cls.__name__}: version {values[0]}, this process speaks {cls.VERSION}")
        known = _checks(cls)  # type: ignore[arg-type]
        arguments = values[1 : len(known) + 1]
        for (name, accepted), value in zip(known, arguments, strict=False):
            if type(value) not in accepted and object not in accepted:
                raise MalformedMessage(f"{cls.__name__}.{name}: unexpected {type(value).__name__}")
        try:
            return cls(*arguments)
        except TypeError as error:
            raise MalformedMessage(f"{cls.__name__}: {len(arguments)} fields are too few") from error


@cache
def _layout(cls: type[Message]) -> tuple[list[str], list[Any]]:
    """Return the names of the fields, and the default of each."""
    fields = dataclasses.fields(cls)
    return [field.name for field in fields], [_default(field) for field in fields]


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    # Where there is none, it is equal to nothing that a field may hold.
    return field.default


@cache
def _checks(cls: type[Message]) -> list[tuple[str, tuple[type, ...]]]:
    """Return per field the types that a decoded value may have."""
    hints = typing.get_type_hints(cls)
    return [(field.name, tuple(_accepted(hints[field.name]))) for field in dataclasses.fields(cls)]


def _accepted(hint: Any) -> list[type]:
    if hint is Any:
        # Whoever reads the field checks it.
        return [object]
    if isinstance(hint, typing.NewType):
        return _accepted(hint.__supertype__)
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return [one for part in typing.get_args(hint) for one in _accepted(part)]
    if origin is not None:
        return [origin]
    return [hint]
