"""Patch objects: JSON patch, merge patch, strategic merge patch and server-side apply."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from ..errors import (
    ApiError,
    Cause,
    bad_request,
    invalid,
    precondition_failed,
    required_value,
    unsupported_media_type,
)
from ..field_sets import Fields, from_paths, union
from ..json_patch import JsonPatchError, apply_json_patch
from ..managed_fields import Writer, read
from ..merge_patch import apply_merge_patch
from ..server_side_apply import ApplyConflictError, adopt_live, apply
from ..strategic_patch import StrategicPatchError, apply_strategic_patch
from ..typed_check import type_errors
from .bodies import empty_like, parse_apply, read_manifest
from .changing import check_version, existing, in_version, partitioned, store_changed, write
from .creating import ignored_fields, read_new, store_new

if TYPE_CHECKING:
    from ..options import Call
    from ..state import State
    from ..values import Manifest

APPLY: Final = "application/apply-patch+yaml"
JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"
STRATEGIC: Final = "application/strategic-merge-patch+json"
_KNOWN: Final = (JSON_PATCH, MERGE_PATCH, APPLY, STRATEGIC)


def patch(state: State, call: Call, content_type: str, body: bytes) -> tuple[Manifest, bool]:
    """Patch an object; tell also whether that created it. Raises ApiError when it is refused."""
    kind = content_type.partition(";")[0].strip()
    if kind not in _KNOWN:
        raise ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    if kind == STRATEGIC and call.resource.custom is not None:
        raise unsupported_media_type(_KNOWN[:3])
    if kind == APPLY:
        return server_side_apply(state, call, body)
    live = existing(state, call)
    value = patched(call, live, kind, _parsed(body))
    _check_name(call, value)
    return write(state, call, live, value), False


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise bad_request(f"error decoding patch: {error}") from None


def patched(call: Call, document: Manifest, kind: str, change: Any) -> Manifest:
    """Return the document with a patch of this content type carried out."""
    try:
        if kind == JSON_PATCH:
            return _object(apply_json_patch(document, change))
        if kind == MERGE_PATCH:
            return _object(apply_merge_patch(document, change))
        return apply_strategic_patch(call.resource.schema, document, change)
    except JsonPatchError as error:
        if error.malformed:
            raise bad_request(str(error)) from None
        text = "the server rejected our request due to an error in our request"
        raise ApiError(422, "Invalid", text, {}) from None
    except StrategicPatchError as error:
        raise bad_request(str(error)) from None


def _object(value: Any) -> Manifest:
    if not isinstance(value, dict) or not isinstance(value.get("metadata"), dict):
        raise bad_request("the patch leaves no object with metadata")
    return value


def _check_name(call: Call, value: Manifest) -> None:
    name = value["metadata"].get("name")
    if name != call.name:
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({call.name})")


def server_side_apply(state: State, call: Call, body: bytes) -> tuple[Manifest, bool]:
    """Apply a configuration; tell also whether that created the object."""
    if not call.options.manager_given:
        cause = required_value("fieldManager", "is required for apply patch")
        raise invalid("PatchOptions", "meta.k8s.io", "", [cause])
    config = parse_apply(body)
    _check_config(call, config)
    live = state.store.get(call.resource.storage, call.key)
    if live is None:
        _check_creation(state, call, config)
    base = in_version(call, live) if live is not None else empty_like(call)
    writer = Writer(
        call.options.manager, call.resource.api_version, state.now(), call.subresource, apply_ignores(call)
    )
    managers = read(base)
    if not managers and live is not None:
        managers = adopt_live(call.resource.schema, empty_like(call), base, writer)
    try:
        applied = apply(call.resource.schema, base, config, managers, writer, force=call.options.force)
    except ApplyConflictError as error:
        causes = [
            Cause("FieldManagerConflict", f"conflict with {shown}", path).as_json()
            for shown, path in error.causes
        ]
        raise ApiError(409, "Conflict", str(error), {"causes": causes}) from None
    if live is None:
        manifest = read_new(call, applied.manifest)
        manifest["metadata"].setdefault("name", call.name)
        return store_new(state, call, manifest, applied.managers), True
    check_version(call, live, applied.manifest)
    new = partitioned(call, base, read_manifest(call, applied.manifest) if applied.changed else _fresh(base))
    return store_changed(state, call, base, new, applied.managers), False


def _check_creation(state: State, call: Call, config: Manifest) -> None:
    """Refuse an apply that was meant for an object that is not there."""
    if call.subresource:
        existing(state, call)
    uid = (config.get("metadata") or {}).get("uid")
    if uid:
        problem = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        raise precondition_failed(call.resource, call.name, problem)


def _fresh(manifest: Manifest) -> Manifest:
    """Return a copy whose top level and metadata may be changed."""
    return {**manifest, "metadata": dict(manifest["metadata"])}


def apply_ignores(call: Call) -> Fields:
    """Return what an apply through this path can't own."""
    if not call.subresource:
        return ignored_fields(call.resource)
    if call.resource.custom is not None:
        return union(from_paths(("metadata",)), from_paths(("spec",)))
    return from_paths(("spec",))


def _check_config(call: Call, config: Manifest) -> None:
    resource = call.resource
    kind, api_version = config.get("kind", ""), config.get("apiVersion", "")
    if not kind or not api_version:
        raise bad_request(
            f"invalid object type: {api_version}, Kind={kind}"
            if api_version
            else f"invalid object type: /, Kind={kind}"
        )
    metadata = config.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise bad_request("metadata must be an object")
    _check_identity(call, metadata)
    if (kind, api_version) != (resource.kind, resource.api_version):
        raise bad_request(
            f"Incorrect version specified in apply patch. Specified patch version: {api_version}, Kind={kind}, expected: {resource.api_version}, Kind={resource.kind}"
        )
    if metadata.get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    problems = list(type_errors(resource.schema, config))
    if problems:
        listed = (
            str(problems[0])
            if len(problems) == 1
            else "errors:\n" + "\n".join(f"  {each}" for each in problems)
        )
        subject = f"{metadata.get('namespace', '')}/{metadata.get('name', '')}; {resource.api_version}, Kind={resource.kind}"
        raise ApiError(500, "", f"failed to create typed patch object ({subject}): {listed}")


def _check_identity(call: Call, metadata: Manifest) -> None:
    name = metadata.get("name")
    if name and name != call.name:
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({call.name})")
    namespace = metadata.get("namespace")
    if namespace and namespace != call.namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
