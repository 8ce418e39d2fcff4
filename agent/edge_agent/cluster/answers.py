"""Turn the API server's refusals into errors. Pure.

Server-side apply answers a wrong type, an unknown field or a duplicate list key with status 500 and a message
that starts with "failed to create typed patch object", and what can't be decoded (a Secret's data that is no
base64) with 500 and "failed to convert new object"; strict decoding answers 400 without causes. All are the
manifest's fault and come out as `InvalidObject` with the fields read from the message.

An admission webhook that can't be reached is answered with 500 too, for the objects that it watches and no
others: it is a refusal of this object, that shows at it, not an API server that is away.

The server quotes values in its messages. For a Secret they are left out, here, so that no status, log or
journal can hold one; for the rest they are shortened (an immutable Job template is quoted whole, 3 KB of it).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from edge_agent.cluster.errors import (
    AlreadyExists,
    ClusterError,
    Conflict,
    Expired,
    FieldCause,
    Forbidden,
    InvalidObject,
    NotFound,
    Refused,
    Throttled,
    Unauthorized,
    Unavailable,
    UnknownKind,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

# Characters of one message that are kept: it travels over thin links and stands in a table.
MESSAGE_LIMIT = 400
# Characters of a quoted value above which it is left out.
VALUE_LIMIT = 60

_TYPED_PATCH = re.compile(
    r"^failed to (?:create typed patch object|merge|convert new object|update managed ?fields)"
    r"(?:[^(:]*\([^)]*\))?[^:]*:",
    re.IGNORECASE,
)
_STRICT_FIELD = re.compile(r'(unknown|duplicate) field "([^"]+)"')
_TYPED_FIELD = re.compile(r"^\s*(\.[^\s:]*(?:\[[^\]]*\][^\s:]*)*):\s*(.+)$")
_INVALID_VALUE = re.compile(r"(Invalid|Unsupported|Duplicate) value: (.*?)(: [^:{}]*)?$", re.DOTALL)
# The resource that a refusal for want of a right names: `... cannot list resource "pods" in API group "" ...`
_MISSING_RIGHT = re.compile(r'cannot (\w+) resource "([^"]+)" in API group "([^"]*)"')


def error_of(
    what: str, status: int, body: bytes, headers: Mapping[str, str], *, secret: bool
) -> ClusterError:
    """Return the error for an answer of 400 and above; `secret` says that its message may quote a secret
    value.
    """
    answer = _status_of(body)
    message = (
        str(answer.get("message") or "") or body[:200].decode("utf-8", "replace").strip() or f"HTTP {status}"
    )
    if _TYPED_PATCH.search(message) or "strict decoding error" in message:
        return InvalidObject(what, _tidy(message, secret), _causes_in(message, secret))
    reason = str(answer.get("reason") or "")
    if status == 422 or (status == 400 and reason == "Invalid"):
        return InvalidObject(what, _tidy(message, secret), _causes_of(answer, secret))
    return _by_status(what, status, answer, _tidy(message, secret), headers)


def _by_status(
    what: str, status: int, answer: Mapping[str, Any], message: str, headers: Mapping[str, str]
) -> ClusterError:
    retry_after_s = _seconds(headers.get("Retry-After"))
    match status:
        case 401:
            return Unauthorized(what, message, retry_after_s)
        case 403:
            return _forbidden(what, message, answer)
        case 404:
            # Without a Status object it is the path that is unknown: no such group, version or resource.
            return NotFound(what, message) if answer.get("reason") else UnknownKind(what, message)
        case 409 if answer.get("reason") == "AlreadyExists":
            return AlreadyExists(what, message)
        case 409:
            return Conflict(what, message)
        case 410:
            return Expired(what, message)
        case 429:
            return Throttled(what, message, retry_after_s)
        case 400:
            return InvalidObject(what, message)
        case _ if status >= 500 and "failed calling webhook" not in message:
            return Unavailable(what, message, retry_after_s)
    return Refused(what, message, status)


def _forbidden(what: str, message: str, answer: Mapping[str, Any]) -> ClusterError:
    right = _MISSING_RIGHT.search(message)
    if right is None:
        causes = (answer.get("details") or {}).get("causes") or []
        if any(cause.get("reason") == "NamespaceTerminating" for cause in causes):
            return Refused(what, message, 403)
        return Forbidden(what, message)
    verb, plural, group = right.groups()
    return Forbidden(what, message, verb, f"{plural}.{group}" if group else plural)


def _status_of(body: bytes) -> Mapping[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) and answer.get("kind") == "Status" else {}


def _causes_of(answer: Mapping[str, Any], secret: bool) -> tuple[FieldCause, ...]:
    causes = (answer.get("details") or {}).get("causes") or []
    found = {
        FieldCause(
            str(cause.get("field") or ""),
            _tidy(str(cause.get("message") or cause.get("reason") or ""), secret),
        )
        for cause in causes
    }
    return tuple(sorted(found, key=lambda cause: (cause.field, cause.message)))


def _causes_in(message: str, secret: bool) -> tuple[FieldCause, ...]:
    """Read the fields out of a message that has no causes."""
    strict = _STRICT_FIELD.findall(message)
    if strict:
        return tuple(FieldCause(field, f"{which} field") for which, field in dict.fromkeys(strict))
    # "failed to create typed patch object (/name; apps/v1, Kind=Deployment): .spec.replicas: expected ...";
    # servers before 1.25 leave out what stands in brackets.
    rest = _TYPED_PATCH.sub("", message).strip()
    found = []
    for line in rest.removeprefix("errors:").splitlines():
        field = _TYPED_FIELD.match(line)
        if field:
            found.append(FieldCause(field[1].lstrip("."), _tidy(field[2], secret)))
    return tuple(found)


def _tidy(message: str, secret: bool) -> str:
    """Shorten quoted values, or for a Secret leave out whatever could be one."""
    if secret:
        message = re.sub(r'"(?:[^"\\]|\\.)*"|`[^`]*`|&?value\.\S*\{.*\}', '"…"', message)
        return _INVALID_VALUE.sub(r"\1 value\3", message)[:MESSAGE_LIMIT]
    found = _INVALID_VALUE.search(message)
    if found and len(found[2]) > VALUE_LIMIT:
        message = f"{message[: found.start()]}{found[1]} value{found[3] or ''}"
    return message if len(message) <= MESSAGE_LIMIT else message[: MESSAGE_LIMIT - 1] + "…"


def _seconds(retry_after: str | None) -> float | None:
    return float(retry_after) if retry_after and retry_after.isdigit() else None
