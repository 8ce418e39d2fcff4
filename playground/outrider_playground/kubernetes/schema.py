"""Types of Kubernetes objects, as merging, defaulting and strict decoding need them.

A `Schema` says of a value what server-side apply asks: is it a scalar, a map or a list, does it merge or is it one piece (atomic),
and by which keys do its items count as the same. Built-in types are read from `data/builtin_schemas.json` (extracted from a server's
OpenAPI document), each when it is first asked for and once for all clusters of a process.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any, Final, Literal

from .values import ABSENT

Shape = Literal["scalar", "map", "list", "any"]


class Field:
    """One declared field of a struct."""

    __slots__ = ("always", "default", "merge_key", "numbers", "omit_zero", "patch", "schema")

    def __init__(
        self,
        schema: Schema,
        *,
        always: Any = ABSENT,
        omit_zero: bool = False,
        default: Any = ABSENT,
        patch: str = "",
        merge_key: str = "",
        numbers: tuple[int, ...] = (),
    ) -> None:
        self.schema = schema
        self.always = always
        """The value that is written when none is set; ABSENT for a field that is then left out."""
        self.omit_zero = omit_zero
        """Whether "", 0, false, [] and {} count as not set."""
        self.default = default
        self.patch = patch
        """How a strategic merge patch treats it: "", "merge", "replace", "retainKeys" or two of them with a comma."""
        self.merge_key = merge_key
        self.numbers = numbers
        """Its number in protobuf, after those of the messages that it is embedded in; empty if it has none."""


class Schema:
    """One type. `fields` are a struct's declared fields; `values` the type of a map's other keys; `items` that of a list's items."""

    __slots__ = (
        "_always",
        "_filled",
        "atomic",
        "fields",
        "is_set",
        "items",
        "keys",
        "name",
        "required",
        "scalar",
        "shape",
        "values",
    )

    def __init__(
        self,
        shape: Shape,
        *,
        name: str = "",
        scalar: str = "",
        atomic: bool = False,
        keys: tuple[str, ...] = (),
    ) -> None:
        self.shape: Shape = shape
        self.name = name
        self.scalar = scalar
        self.atomic = atomic
        self.keys = keys
        self.is_set = False
        self.fields: dict[str, Field] = {}
        self.values: Schema | None = None
        self.items: Schema | None = None
        self.required: tuple[str, ...] = ()
        self._always: list[tuple[str, Field]] | None = None
        self._filled: list[tuple[str, Field]] | None = None

    @property
    def associative(self) -> bool:
        """Whether items of this list are told apart by keys or value rather than by place."""
        return self.shape == "list" and not self.atomic and (bool(self.keys) or self.is_set)

    def child(self, key: str) -> Schema:
        """Return the type of the value under this key; undeclared keys of a struct are of any type."""
        field = self.fields.get(key)
        if field is not None:
            return field.schema
        return self.values or ANY

    def always_written(self) -> list[tuple[str, Field]]:
        """List the fields that are written even when unset."""
        if self._always is None:
            self._always = [(key, field) for key, field in self.fields.items() if field.always is not ABSENT]
        return self._always

    def filled(self) -> list[tuple[str, Field]]:
        """List the fields that are written even when unset or have a default that is not zero."""
        if self._filled is None:
            self._filled = [
                (key, field)
                for key, field in self.fields.items()
                if field.default or field.always is not ABSENT
            ]
        return self._filled

    def key_default(self, key: str) -> Any:
        """Return the default of a key field of this associative list's items, or ABSENT."""
        field = self.items.fields.get(key) if self.items is not None else None
        return field.default if field is not None else ABSENT

    def atomic_copy(self, atomic: bool) -> Schema:
        """Return this type with another answer to whether it is one piece."""
        twin = Schema(self.shape, name=self.name, scalar=self.scalar, atomic=atomic, keys=self.keys)
        twin.is_set, twin.fields, twin.values = self.is_set, self.fields, self.values
        twin.items, twin.required = self.items, self.required
        return twin


ANY: Final = Schema("any", name="any")
"""No declared type: maps merge key by key, lists are one piece."""

ATOMIC_ANY: Final = Schema("any", name="atomic any", atomic=True)
"""No declared type, and one piece whatever it holds."""

_SCALARS: Final = {
    kind: Schema("scalar", name=kind, scalar=kind)
    for kind in (
        "string",
        "integer",
        "number",
        "boolean",
        "int-or-string",
        "quantity",
        "time",
        "bytes",
        "untyped",
    )
}


def scalar(kind: str) -> Schema:
    """Return the type of a scalar: string, integer, number, boolean, int-or-string, quantity, time, bytes or untyped."""
    return _SCALARS[kind]


@cache
def _document() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("data", "builtin_schemas.json").read_text("utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


_SPECIAL: Final = {
    "api.resource.Quantity": _SCALARS["quantity"],
    "util.intstr.IntOrString": _SCALARS["int-or-string"],
    "meta.v1.Time": _SCALARS["time"],
    "meta.v1.MicroTime": _SCALARS["time"],
}
_built: dict[str, Schema] = dict(_SPECIAL)


def named(name: str) -> Schema:
    """Return a built-in type by its short name, such as `core.v1.Container`."""
    known = _built.get(name)
    if known is not None:
        return known
    raw = _document()["types"][name]
    if "fields" not in raw:
        made = ATOMIC_ANY if raw.get("type") == "any" else _open_map(name)
        _built[name] = made
        return made
    made = Schema("map", name=name, atomic=raw.get("map") == "atomic")
    _built[name] = made  # before its fields: a type may hold itself
    made.required = tuple(raw.get("required", ()))
    made.fields = {field: _field(spec) for field, spec in raw["fields"].items()}
    return made


def _open_map(name: str) -> Schema:
    made = Schema("map", name=name)
    made.values = ANY
    return made


def _field(spec: dict[str, Any]) -> Field:
    return Field(
        _from_spec(spec),
        always=spec.get("always", ABSENT),
        omit_zero=bool(spec.get("omit")),
        default=spec.get("default", ABSENT),
        patch=spec.get("patch", ""),
        merge_key=spec.get("mergeKey", ""),
        numbers=_numbers(spec.get("n")),
    )


def _numbers(given: int | list[int] | None) -> tuple[int, ...]:
    if given is None:
        return ()
    return (given,) if isinstance(given, int) else tuple(given)


def _from_spec(spec: dict[str, Any]) -> Schema:
    reference = spec.get("ref")
    if reference is not None:
        target = named(reference)
        if "map" in spec and target.shape == "map":
            return target.atomic_copy(spec["map"] == "atomic")
        return target
    kind = spec.get("type", "untyped")
    if kind == "array":
        return _list_from(spec)
    if kind == "object":
        made = Schema("map", atomic=spec.get("map") == "atomic")
        made.values = _from_spec(spec["values"]) if "values" in spec else ANY
        return made
    return _SCALARS["bytes" if spec.get("format") == "byte" else kind]


def _list_from(spec: dict[str, Any]) -> Schema:
    relation = spec.get("list", "atomic")
    made = Schema("list", atomic=relation == "atomic", keys=tuple(spec.get("keys", ())))
    made.is_set = relation == "set"
    made.items = _from_spec(spec["items"]) if "items" in spec else ANY
    return made


@cache
def builtin_kinds() -> dict[str, str]:
    """Map `group/version/Kind` (or `version/Kind` of the core group) to the name of its type."""
    kinds: dict[str, str] = _document()["kinds"]
    return kinds
