"""Read the bodies of requests into objects of the resource that they are sent to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..decoding import DecodingError, decode
from ..defaults import fill_in
from ..errors import bad_request
from ..yaml_reading import read_yaml

if TYPE_CHECKING:
    from ..options import Call
    from ..values import Manifest


def parse_object(body: bytes, content_type: str, kind: str) -> Manifest:
    """Read a body as an object, from JSON or YAML. Raises ApiError (400)."""
    try:
        value = _parse_yaml(body) if "yaml" in content_type else json.loads(body)
    except ValueError as error:
        text = f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: {error}"
        raise bad_request(text) from None
    if not isinstance(value, dict):
        raise bad_request(f"the object provided is unrecognized (must be of type {kind}): it is no object")
    return value


def parse_apply(body: bytes) -> Manifest:
    """Read the body of a server-side apply. Raises ApiError (400)."""
    try:
        value = _parse_yaml(body)
    except ValueError as error:
        raise bad_request(f"error decoding YAML: {error}") from None
    if not isinstance(value, dict):
        raise bad_request("error decoding YAML: the document is no object")
    return value


def _parse_yaml(body: bytes) -> Any:
    """Read YAML, of which JSON is the common case and much quicker to read."""
    try:
        return json.loads(body)
    except ValueError:
        return read_yaml(body.decode("utf-8"))


def check_kind(call: Call, value: Manifest) -> None:
    """Refuse an object that says it is of another kind or version than the path is for."""
    resource = call.resource
    kind, api_version = value.get("kind"), value.get("apiVersion")
    if not kind:
        raise bad_request(f"Object 'Kind' is missing in '{json.dumps(value)[:200]}'")
    if not api_version:
        raise bad_request(f"Object 'apiVersion' is missing in '{json.dumps(value)[:200]}'")
    if kind != resource.kind:
        problem = f"cannot be handled as a {resource.kind}: converting to {resource.kind}: unknown conversion"
        raise bad_request(f'{kind} in version "{api_version.rpartition("/")[2]}" {problem}')
    if api_version != resource.api_version:
        raise bad_request(
            f"the API version in the data ({api_version}) does not match the expected API version ({resource.api_version})"
        )


def read_manifest(call: Call, value: Manifest) -> Manifest:
    """Decode an object and fill in its defaults; unknown fields become warnings or, if asked for, a refusal."""
    resource, unknown = call.resource, list[str]()
    try:
        if resource.custom is not None:
            manifest = resource.custom.decode(value, unknown)
        else:
            manifest = decode(resource.schema, value, unknown)
            fill_in(resource.storage, manifest)
    except DecodingError as error:
        raise bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: {error}'
        ) from None
    if unknown:
        _report(call, unknown)
    return manifest


def _report(call: Call, unknown: list[str]) -> None:
    problems = [f'unknown field "{path}"' for path in sorted(unknown)]
    if call.options.validation == "Strict":
        resource = call.resource
        text = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}'
        raise bad_request(f"{text}: strict decoding error: {', '.join(problems)}")
    if call.options.validation == "Warn":
        call.options.warnings.extend(problems)


def empty_like(call: Call) -> Any:
    """Return an object of the resource in which nothing is set."""
    resource = call.resource
    head = {"apiVersion": resource.api_version, "kind": resource.kind}
    return head if resource.custom is not None else {**decode(resource.schema, {}, []), **head}
