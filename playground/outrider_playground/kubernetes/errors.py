"""The refusals of the API: a status code and the `Status` object that goes with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .resources import Resource


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that is wrong with an object, at a field."""

    reason: str
    message: str
    field: str

    def as_json(self) -> dict[str, str]:
        """Return the cause as `details.causes` holds it."""
        return {"reason": self.reason, "message": self.message, "field": self.field}


def invalid_value(field: str, value: str, problem: str) -> Cause:
    """Return a cause: a value that is not allowed. `value` is written as JSON."""
    return Cause("FieldValueInvalid", f"Invalid value: {value}: {problem}", field)


def required_value(field: str, problem: str = "") -> Cause:
    """Return a cause: a value that must be there and is not."""
    return Cause("FieldValueRequired", f"Required value: {problem}" if problem else "Required value", field)


def forbidden_value(field: str, problem: str) -> Cause:
    """Return a cause: a value, or a change of it, that is not allowed at all."""
    return Cause("FieldValueForbidden", f"Forbidden: {problem}", field)


def unsupported_value(field: str, value: str, supported: Iterable[str]) -> Cause:
    """Return a cause: a value that is none of those listed."""
    listed = ", ".join(f'"{each}"' for each in supported)
    return Cause("FieldValueNotSupported", f'Unsupported value: "{value}": supported values: {listed}', field)


class ApiError(Exception):
    """A request that is refused. `retry_after_s` goes into the Retry-After header."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: dict[str, Any] | None = None,
        *,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.retry_after_s = retry_after_s

    def status(self) -> dict[str, Any]:
        """Return the Status object."""
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        status["code"] = self.code
        return status


class PathNotFoundError(Exception):
    """No resource lives at this path: answered with 404 in plain text."""


def details_of(resource: Resource, name: str, **more: Any) -> dict[str, Any]:
    """Return `details` that name an object by its resource."""
    details: dict[str, Any] = {"name": name} if name else {}
    if resource.group:
        details["group"] = resource.group
    return {**details, "kind": resource.plural, **more}


def qualified(resource: Resource) -> str:
    """Name a resource as messages do: `deployments.apps`, `configmaps`."""
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def not_found(resource: Resource, name: str) -> ApiError:
    """Return the refusal for an object that is not there."""
    return ApiError(404, "NotFound", f'{qualified(resource)} "{name}" not found', details_of(resource, name))


def already_exists(resource: Resource, name: str) -> ApiError:
    """Return the refusal to create an object twice."""
    text = f'{qualified(resource)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", text, details_of(resource, name))


def modified(resource: Resource, name: str) -> ApiError:
    """Return the refusal of a write that was based on an older version."""
    problem = "the object has been modified; please apply your changes to the latest version and try again"
    text = f'Operation cannot be fulfilled on {qualified(resource)} "{name}": {problem}'
    return ApiError(409, "Conflict", text, details_of(resource, name))


def precondition_failed(resource: Resource, name: str, problem: str) -> ApiError:
    """Return the refusal of a write whose precondition does not hold."""
    text = f'Operation cannot be fulfilled on {resource.kind} "{name}": {problem}'
    return ApiError(409, "Conflict", text, {**details_of(resource, name), "kind": resource.kind})


def bad_request(message: str) -> ApiError:
    """Return the refusal of a request that can't be understood."""
    return ApiError(400, "BadRequest", message)


def invalid(kind: str, group: str, name: str, causes: list[Cause]) -> ApiError:
    """Return the refusal of an object that breaks rules."""
    details: dict[str, Any] = {"name": name} if name else {}
    if group:
        details["group"] = group
    details |= {"kind": kind, "causes": [cause.as_json() for cause in causes]}
    shown = [f"{cause.field}: {cause.message}" for cause in dict.fromkeys(causes)]
    text = shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"
    subject = f"{kind}.{group}" if group else kind
    return ApiError(422, "Invalid", f'{subject} "{name}" is invalid: {text}', details)


def forbidden(resource: Resource, name: str, problem: str, causes: list[Cause] | None = None) -> ApiError:
    """Return the refusal of something that is understood and not allowed."""
    more = {"causes": [cause.as_json() for cause in causes]} if causes else {}
    text = f'{qualified(resource)} "{name}" is forbidden: {problem}'
    return ApiError(403, "Forbidden", text, details_of(resource, name, **more))


def method_not_allowed(resource: Resource) -> ApiError:
    """Return the refusal of a verb that a resource does not have."""
    text = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", text, details_of(resource, ""))


def unsupported_media_type(accepted: Iterable[str]) -> ApiError:
    """Return the refusal of a body in a format that the resource can't read."""
    listed = ", ".join(accepted)
    text = f"the body of the request was in an unknown format - accepted media types include: {listed}"
    return ApiError(415, "UnsupportedMediaType", text)


def expired(message: str) -> ApiError:
    """Return the refusal to read from a version that is no longer kept."""
    return ApiError(410, "Expired", message)


def too_large_version(asked: int, current: int) -> ApiError:
    """Return the refusal to read a version that is not there yet."""
    cause = Cause("ResourceVersionTooLarge", "Too large resource version", "").as_json()
    details = {"causes": [cause], "retryAfterSeconds": 1}
    text = f"Timeout: Too large resource version: {asked}, current: {current}"
    return ApiError(504, "Timeout", text, details, retry_after_s=1)
