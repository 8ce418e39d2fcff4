"""Carry out calls for resources: from a request that was read to the answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import ApiError, bad_request, unsupported_media_type
from ..protobuf_reading import MEDIA_TYPE, read_protobuf
from ..verbs import scaling
from ..verbs.bodies import parse_apply, parse_object
from ..verbs.changing import existing, update
from ..verbs.creating import create
from ..verbs.deleting import delete, read_deletion
from ..verbs.patching import APPLY, patch
from ..verbs.reading import list_page
from .answers import Shape, answer, plain, shape_list, shape_object, wanted_shape
from .reviews import is_review, review
from .subresources import create_part, pod_log

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from ..faults import Faults
    from ..options import Call
    from ..state import State
    from ..values import Manifest

_READABLE = ("application/json", "application/yaml", MEDIA_TYPE)


@dataclass(frozen=True, slots=True)
class Request:
    """A request as far as calls need it."""

    verb: str
    call: Call
    query: Mapping[str, str]
    content_type: str = ""
    accept: str = ""
    body: bytes = b""


def carry_out(state: State, faults: Faults, request: Request) -> web.Response:
    """Carry out any call but a watch. Raises ApiError when it is refused."""
    shape = wanted_shape(request.accept, request.query) if request.call.subresource != "log" else Shape()
    handler = _HANDLERS[request.verb]
    if is_review(request.call):
        return answer(review(state, faults, request.call, _body(request)), 201)
    response: web.Response = handler(state, request, shape)
    return response


def _get(state: State, request: Request, shape: Shape) -> web.Response:
    call = request.call
    if call.subresource == "scale":
        return answer(scaling.read_scale(state, call))
    if call.subresource == "log":
        return plain(pod_log(state, call, request.query))
    return _object(state, request, shape, existing(state, call))


def _list(state: State, request: Request, shape: Shape) -> web.Response:
    page = list_page(state, request.call, request.query)
    return answer(shape_list(shape, request.call.resource, page.items, page.metadata(), state.clock()))


def _create(state: State, request: Request, shape: Shape) -> web.Response:
    if request.call.subresource:
        return answer(create_part(state, request.call, _body(request)), 201)
    return _object(state, request, shape, create(state, request.call, _body(request)), 201)


def _update(state: State, request: Request, shape: Shape) -> web.Response:
    if request.call.subresource == "scale":
        return answer(scaling.write_scale(state, request.call, _body(request)))
    return _object(state, request, shape, update(state, request.call, _body(request)))


def _patch(state: State, request: Request, shape: Shape) -> web.Response:
    kind = request.content_type.partition(";")[0].strip()
    if request.call.subresource == "scale":
        try:
            change = parse_apply(request.body) if kind == APPLY else json.loads(request.body)
        except ValueError as error:
            raise bad_request(f"error decoding patch: {error}") from None
        return answer(scaling.patch_scale(state, request.call, kind, change))
    manifest, created = patch(state, request.call, request.content_type, request.body)
    return _object(state, request, shape, manifest, 201 if created else 200)


def _delete(state: State, request: Request, shape: Shape) -> web.Response:
    deletion = read_deletion(request.query, request.body)
    return _object(state, request, shape, delete(state, request.call, deletion))


def _delete_collection(state: State, request: Request, shape: Shape) -> web.Response:
    call = request.call
    deletion = read_deletion(request.query, request.body)
    page = list_page(state, call, request.query)
    for each in page.items:
        metadata = each["metadata"]
        one = type(call)(call.resource, metadata.get("namespace", ""), metadata["name"], "", call.options)
        try:
            delete(state, one, deletion)
        except ApiError as error:
            if error.code != 404:
                raise
    listed = shape_list(shape, call.resource, page.items, page.metadata(), state.clock())
    return answer(listed, warnings=call.options.warnings)


_HANDLERS: dict[str, Any] = {
    "get": _get,
    "list": _list,
    "create": _create,
    "update": _update,
    "patch": _patch,
    "delete": _delete,
    "deletecollection": _delete_collection,
}


def _object(
    state: State, request: Request, shape: Shape, manifest: Manifest, status: int = 200
) -> web.Response:
    call = request.call
    return answer(shape_object(shape, call.resource, manifest, state.clock()), status, call.options.warnings)


def _body(request: Request) -> Manifest:
    kind = request.content_type.partition(";")[0].strip() or _READABLE[0]
    if kind not in _READABLE:
        raise unsupported_media_type(_READABLE)
    if kind == MEDIA_TYPE:
        return _from_protobuf(request.body)
    return parse_object(request.body, kind, request.call.resource.kind)


def _from_protobuf(body: bytes) -> Manifest:
    try:
        return read_protobuf(body)
    except ValueError as error:
        raise bad_request(f"the protobuf body can't be read: {error}") from None
