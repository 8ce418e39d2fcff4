"""Answers: JSON in the shape that the client accepts, refusals, warnings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from ..errors import ApiError
from ..tables import table
from ..tables.rendering import partial

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ..resources import Resource
    from ..values import Manifest

JSON: Final = "application/json"
_encode: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode


def as_bytes(value: Any) -> bytes:
    """Write a value as JSON."""
    return _encode(value).encode()


@dataclass(frozen=True, slots=True)
class Shape:
    """The shape of objects that a client asks for: whole ("" ), Table, or PartialObjectMetadata (a list of them, too)."""

    kind: str = ""
    include: str = "Metadata"
    """What goes with each row of a table."""


def wanted_shape(accept: str, query: Mapping[str, str]) -> Shape:
    """Read the Accept header: the first form that can be given. Raises ApiError (406) when there is none."""
    for part in accept.split(",") if accept else [JSON]:
        media, *parameters = (each.strip() for each in part.split(";"))
        if media not in {JSON, "application/*", "*/*"}:
            continue
        given = dict(each.split("=", 1) for each in parameters if "=" in each)
        kind = given.get("as", "")
        if kind in {"", "Table", "PartialObjectMetadata", "PartialObjectMetadataList"}:
            return Shape(kind.removesuffix("List"), query.get("includeObject", "Metadata"))
    raise ApiError(406, "NotAcceptable", "only the following media types are accepted: application/json")


def shape_object(shape: Shape, resource: Resource, manifest: Manifest, now: datetime) -> Manifest:
    """Return an object in the shape asked for; a Status always stays one."""
    if not shape.kind or manifest.get("kind") == "Status":
        return manifest
    if shape.kind == "Table":
        metadata = {"resourceVersion": manifest["metadata"].get("resourceVersion", "")}
        return table(resource, [manifest], metadata, now, shape.include)
    return partial(manifest)


def shape_list(
    shape: Shape, resource: Resource, manifests: list[Manifest], metadata: dict[str, Any], now: datetime
) -> dict[str, Any]:
    """Return a list in the shape asked for."""
    if shape.kind == "Table":
        return table(resource, manifests, metadata, now, shape.include)
    if shape.kind == "PartialObjectMetadata":
        items = [partial(each) for each in manifests]
        head = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1"}
        return {**head, "metadata": metadata, "items": items}
    items = manifests if resource.custom is not None else [_headless(each) for each in manifests]
    return {
        "kind": resource.list_kind,
        "apiVersion": resource.api_version,
        "metadata": metadata,
        "items": items,
    }


def _headless(manifest: Manifest) -> Manifest:
    """Leave out kind and version, as lists of built-in kinds do."""
    return {key: value for key, value in manifest.items() if key not in {"kind", "apiVersion"}}


def answer(
    value: Any, status: int = 200, warnings: list[str] | None = None, content_type: str = JSON
) -> web.Response:
    """Answer with JSON."""
    response = web.Response(body=as_bytes(value), status=status, headers={"Content-Type": content_type})
    for text in dict.fromkeys(warnings or ()):
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{quoted}"')
    return response


def refusal(error: ApiError) -> web.Response:
    """Answer with a refusal."""
    response = answer(error.status(), error.code)
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def path_not_found() -> web.Response:
    """Answer that nothing lives at a path."""
    return plain("404 page not found\n", 404)


def plain(text: str, status: int = 200) -> web.Response:
    """Answer with plain text."""
    return web.Response(text=text, status=status, content_type="text/plain", charset="utf-8")
