"""Which call a path and a method stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..errors import ApiError, PathNotFoundError, method_not_allowed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..catalog import Catalog
    from ..resources import Resource

_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch"}


@dataclass(frozen=True, slots=True)
class Target:
    """What a path leads to."""

    verb: str
    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def find_target(catalog: Catalog, method: str, path: str, query: Mapping[str, str]) -> Target:
    """Find the resource, object and verb. Raises PathNotFoundError, or ApiError (405) for a verb that is not there."""
    steps = path.strip("/").split("/")
    if steps[0] == "api" and len(steps) > 2:
        group, version, rest = "", steps[1], steps[2:]
    elif steps[0] == "apis" and len(steps) > 3:
        group, version, rest = steps[1], steps[2], steps[3:]
    else:
        raise PathNotFoundError(path)
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and not (group == "" and _is_part(catalog, rest)):
        namespace, rest = rest[1], rest[2:]
    resource = catalog.find(group, version, rest[0])
    if resource is None or len(rest) > 3 or bool(namespace) > resource.namespaced:
        raise PathNotFoundError(path)
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    verb = _verb(method, query, named=bool(name))
    if not name and verb in {"update", "patch"}:
        raise method_not_allowed(resource)
    _check(resource, verb, subresource, anywhere=not namespace and resource.namespaced)
    return Target(verb, resource, namespace, name, subresource)


def _is_part(catalog: Catalog, rest: list[str]) -> bool:
    """Tell `namespaces/NAME/status` from `namespaces/NAME/RESOURCE`."""
    namespaces = catalog.find("", "v1", "namespaces")
    return len(rest) == 3 and namespaces is not None and namespaces.subresource(rest[2]) is not None


def _verb(method: str, query: Mapping[str, str], *, named: bool) -> str:
    if method in {"GET", "HEAD"}:
        watching = query.get("watch", "").lower() in {"1", "true"}
        if watching:
            return "watch"
        return "get" if named else "list"
    if method == "DELETE":
        return "delete" if named else "deletecollection"
    return _VERBS.get(method, "")


def _check(resource: Resource, verb: str, subresource: str, *, anywhere: bool) -> None:
    if subresource:
        part = resource.subresource(subresource)
        if part is None:
            raise ApiError(404, "NotFound", "the server could not find the requested resource", {})
        allowed = part.verbs
    else:
        allowed = resource.verbs
    if verb not in allowed or (anywhere and verb not in {"list", "watch"} and resource.verbs != ("create",)):
        raise method_not_allowed(resource)
