"""One version of a custom resource's type, made from the structural schema of its definition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..decoding import DecodingError, decode
from ..schema import ANY, Field, Schema, named, scalar
from ..values import ABSENT
from .pruning import fill_in, prune
from .validation import causes_of

if TYPE_CHECKING:
    from ..errors import Cause

_PRESERVE = "x-kubernetes-preserve-unknown-fields"


class CustomType:
    """How to read, default and check the objects of one version of a CustomResourceDefinition."""

    def __init__(self, definition: str, version: dict[str, Any]) -> None:
        self.definition = definition
        self.structure: dict[str, Any] = (version.get("schema") or {}).get("openAPIV3Schema") or {
            _PRESERVE: True
        }
        self.columns: list[dict[str, Any]] = version.get("additionalPrinterColumns") or []
        subresources = version.get("subresources") or {}
        self.scale: dict[str, str] | None = subresources.get("scale")
        self.has_status = "status" in subresources
        self.schema = _object_schema(self.structure)

    def decode(self, manifest: dict[str, Any], unknown: list[str]) -> dict[str, Any]:
        """Read an object: unknown fields are pruned and their paths reported, defaults come in."""
        if not isinstance(manifest.get("metadata", {}), dict):
            raise DecodingError("metadata", "metadata must be an object")
        head = {key: manifest[key] for key in ("apiVersion", "kind") if key in manifest}
        body = {
            key: value for key, value in manifest.items() if key not in {"apiVersion", "kind", "metadata"}
        }
        pruned = prune(self.structure, body, unknown)
        filled = fill_in(self.structure, pruned)
        metadata = decode(_METADATA, manifest.get("metadata", {}), unknown, "metadata")
        return {**head, "metadata": metadata, **filled}

    def causes(self, manifest: dict[str, Any]) -> list[Cause]:
        """List what the schema refuses about an object."""
        body = {key: value for key, value in manifest.items() if key != "metadata"}
        return list(causes_of(self.structure, body, ""))


_METADATA = named("meta.v1.ObjectMeta")


def _object_schema(structure: dict[str, Any]) -> Schema:
    made = schema_of(structure)
    whole = Schema("map", name="custom resource")
    whole.values = made.values
    whole.fields = {
        **made.fields,
        "apiVersion": Field(scalar("string")),
        "kind": Field(scalar("string")),
        "metadata": Field(_METADATA),
    }
    return whole


def schema_of(structure: dict[str, Any]) -> Schema:
    """Turn a structural schema into the type that merging goes by."""
    if structure.get("x-kubernetes-int-or-string"):
        return scalar("int-or-string")
    kind = structure.get("type")
    if kind == "object":
        return _map_schema(structure)
    if kind == "array":
        return _list_schema(structure)
    if kind in {"string", "integer", "number", "boolean"}:
        return scalar(kind)
    return ANY


def _map_schema(structure: dict[str, Any]) -> Schema:
    made = Schema("map", atomic=structure.get("x-kubernetes-map-type") == "atomic")
    properties = structure.get("properties") or {}
    made.fields = {
        name: Field(schema_of(inner), default=inner.get("default", ABSENT))
        for name, inner in properties.items()
    }
    more = structure.get("additionalProperties")
    if isinstance(more, dict):
        made.values = schema_of(more)
    elif (
        more or structure.get(_PRESERVE) or structure.get("x-kubernetes-embedded-resource") or not properties
    ):
        made.values = ANY
    return made


def _list_schema(structure: dict[str, Any]) -> Schema:
    relation = structure.get("x-kubernetes-list-type", "atomic")
    made = Schema(
        "list", atomic=relation == "atomic", keys=tuple(structure.get("x-kubernetes-list-map-keys") or ())
    )
    made.is_set = relation == "set"
    made.items = schema_of(structure.get("items") or {})
    return made
