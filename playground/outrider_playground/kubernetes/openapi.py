"""OpenAPI v3 documents, as far as clients read them: which types there are, how their lists merge, and that fields are validated."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from .values import ABSENT

if TYPE_CHECKING:
    from .catalog import Catalog
    from .resources import Resource
    from .schema import Field, Schema

_PREFIX: Final = "#/components/schemas/"
_JSON_TYPES: Final = {"integer": "integer", "number": "number", "boolean": "boolean"}


def openapi_index(catalog: Catalog) -> dict[str, Any]:
    """Answer /openapi/v3: where the document of each group and version is."""
    paths = {}
    for group in catalog.groups():
        for version in catalog.versions(group):
            path = f"apis/{group}/{version}" if group else f"api/{version}"
            names = ",".join(resource.plural for resource in catalog.served(group, version))
            digest = hashlib.sha256(
                f"{path}:{names}:{catalog.generation if '.' in group else 0}".encode()
            ).hexdigest()
            paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest[:32].upper()}"}
    return {"paths": paths}


def openapi_document(catalog: Catalog, steps: list[str]) -> dict[str, Any] | None:
    """Answer /openapi/v3/apis/GROUP/VERSION, or None for one that is not served."""
    group = steps[1] if steps[:1] == ["apis"] and len(steps) == 3 else ""
    if len(steps) != (3 if group else 2):
        return None
    resources = tuple(catalog.served(group, steps[-1]))
    if not resources:
        return None
    return (
        _builtin_document(resources)
        if all(each.custom is None for each in resources)
        else _document(resources)
    )


@cache
def _builtin_document(resources: tuple[Resource, ...]) -> dict[str, Any]:
    return _document(resources)


def _document(resources: tuple[Resource, ...]) -> dict[str, Any]:
    schemas: dict[str, Any] = {}
    for resource in resources:
        name = (
            resource.schema.name
            if resource.custom is None
            else f"{resource.group}.{resource.version}.{resource.kind}"
        )
        written = _schema(resource.schema, schemas, top=True)
        gvk = {"group": resource.group, "version": resource.version, "kind": resource.kind}
        if resource.custom is not None:
            written = {**resource.custom.structure, "type": "object"}
        schemas[_public(name)] = {**written, "x-kubernetes-group-version-kind": [gvk]}
    return {
        "openapi": "3.0.0",
        "info": {"title": "simulated", "version": "v1.36.0"},
        "paths": {path: item for resource in resources for path, item in _paths(resource)},
        "components": {"schemas": schemas},
    }


def _public(name: str) -> str:
    return f"io.k8s.{name}"


def _paths(resource: Resource) -> list[tuple[str, dict[str, Any]]]:
    root = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.version}"
    middle = "/namespaces/{namespace}" if resource.namespaced else ""
    gvk = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
        for name in ("dryRun", "fieldManager", "fieldValidation")
    ]
    operation = {"parameters": parameters, "x-kubernetes-group-version-kind": gvk, "responses": {}}
    collection = f"{root}{middle}/{resource.plural}"
    out: list[tuple[str, dict[str, Any]]] = []
    if "create" in resource.verbs:
        out.append((collection, {"post": {**operation, "x-kubernetes-action": "post"}}))
    if "patch" in resource.verbs:
        actions = {
            "put": {**operation, "x-kubernetes-action": "put"},
            "patch": {**operation, "x-kubernetes-action": "patch"},
        }
        out.append((collection + "/{name}", actions))
    return out


def _schema(schema: Schema, schemas: dict[str, Any], *, top: bool = False) -> dict[str, Any]:
    if schema.shape == "map" and schema.fields:
        return _struct(schema, schemas, top=top)
    if schema.shape == "map":
        out: dict[str, Any] = {"type": "object"}
        if schema.values is not None:
            out["additionalProperties"] = _schema(schema.values, schemas)
        return out
    if schema.shape == "list":
        return _list(schema, schemas)
    if schema.scalar == "int-or-string":
        return {"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"}
    if schema.shape == "any":
        return {}
    return {"type": _JSON_TYPES.get(schema.scalar, "string")}


def _struct(schema: Schema, schemas: dict[str, Any], *, top: bool) -> dict[str, Any]:
    name = _public(schema.name)
    if not top:
        if name not in schemas:
            schemas[name] = {}  # before its fields: a type may hold itself
            schemas[name] = _written(schema, schemas)
        return {"allOf": [{"$ref": _PREFIX + name}]}
    return _written(schema, schemas)


def _written(schema: Schema, schemas: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {
        "type": "object",
        "properties": {name: _property(field, schemas) for name, field in schema.fields.items()},
    }
    if schema.required:
        out["required"] = list(schema.required)
    if schema.atomic:
        out["x-kubernetes-map-type"] = "atomic"
    return out


def _property(field: Field, schemas: dict[str, Any]) -> dict[str, Any]:
    out = dict(_schema(field.schema, schemas))
    if field.default is not ABSENT:
        out["default"] = field.default
    if field.patch:
        out["x-kubernetes-patch-strategy"] = field.patch
    if field.merge_key:
        out["x-kubernetes-patch-merge-key"] = field.merge_key
    return out


def _list(schema: Schema, schemas: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {"type": "array"}
    if schema.items is not None:
        out["items"] = _schema(schema.items, schemas)
    if schema.atomic:
        out["x-kubernetes-list-type"] = "atomic"
    elif schema.is_set:
        out["x-kubernetes-list-type"] = "set"
    elif schema.keys:
        out["x-kubernetes-list-type"] = "map"
        out["x-kubernetes-list-map-keys"] = list(schema.keys)
    return out
