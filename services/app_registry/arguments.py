"""Arguments of requests, checked: a request is a map that anybody with a person's identity may have written."""

import base64
import binascii
import re
from typing import Any, TypeVar

from outrider.bus.services import RequestRefused
from outrider.names import (
    AppName,
    ClusterName,
    InvalidName,
    PoolName,
    app_name,
    cluster_name,
    pool_name,
    project_name,
)
from outrider.spec.metadata import is_render_place
from outrider.spec.schedule import time_zone as checked_zone

T = TypeVar("T")

PAGE_DEFAULT = 100
PAGE_MAX = 1000

_USER_PREFIX = 20 << 3
# The first byte of a user's public nkey, which makes it begin with U.
_KEY_BYTES = 35
USER_MAX_CHARS = 128

ON_SITE = "site:"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LABEL_PART = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_PREFIX = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


def text(arguments: dict[str, Any], name: str, default: str | None = None) -> str:
    """Return a text; RequestRefused if it is missing (without a default) or is none."""
    value = arguments.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or not value:
        raise RequestRefused(f"{name}: give a text")
    return value


def optional(arguments: dict[str, Any], name: str, kind: type[T]) -> T | None:
    """Return a value of the given type, or None where there is none."""
    value = arguments.get(name)
    if value is not None and not isinstance(value, kind):
        raise RequestRefused(f"{name}: must be of type {kind.__name__}")
    return value


def flag(arguments: dict[str, Any], name: str) -> bool:
    """Return a switch, off by default."""
    return bool(optional(arguments, name, bool))


def app(arguments: dict[str, Any]) -> AppName:
    """Return the application that a request is about."""
    try:
        return app_name(text(arguments, "name"))
    except InvalidName as error:
        raise RequestRefused(str(error)) from error


def cluster(arguments: dict[str, Any]) -> ClusterName:
    """Return the cluster that a request is about."""
    try:
        return cluster_name(text(arguments, "name"))
    except InvalidName as error:
        raise RequestRefused(str(error)) from error


def pool(arguments: dict[str, Any]) -> PoolName:
    """Return the pool that a request is about."""
    try:
        return pool_name(text(arguments, "name"))
    except InvalidName as error:
        raise RequestRefused(str(error)) from error


def public_key(arguments: dict[str, Any]) -> str:
    """Return the public nkey of a user."""
    key = text(arguments, "public_key")
    try:
        raw = base64.b32decode(key + "=" * (-len(key) % 8))
    except (binascii.Error, ValueError):
        raw = b""
    if (
        len(raw) != _KEY_BYTES
        or raw[0] != _USER_PREFIX
        or binascii.crc_hqx(raw[:-2], 0) != int.from_bytes(raw[-2:], "little")
    ):
        raise RequestRefused("public_key: is no NATS user key, which begins with U and has 56 characters")
    return key


def named(arguments: dict[str, Any], kind: str) -> str:
    """Return the project or set that a request is about."""
    try:
        return project_name(text(arguments, "name"))
    except InvalidName as error:
        raise RequestRefused(f"{kind} {str(error).removeprefix('project ')}") from error


def time_zone(arguments: dict[str, Any]) -> str:
    """Return the name of a time zone; empty for none."""
    given = optional(arguments, "time_zone", str) or ""
    try:
        return checked_zone(given) if given else given
    except ValueError as error:
        raise RequestRefused(f"time_zone: {error}") from error


def render(arguments: dict[str, Any]) -> str:
    """Return where applications are rendered; empty: at the hub."""
    given = optional(arguments, "render", str) or ""
    if given and not is_render_place(given):
        raise RequestRefused(f"render: is edge or hub, not {given[:40]!r}")
    return "" if given == "hub" else given


def page(arguments: dict[str, Any]) -> tuple[str, int]:
    """Return after which name a list begins, and how long it may be."""
    limit = optional(arguments, "limit", int)
    if limit is not None and not 0 < limit <= PAGE_MAX:
        raise RequestRefused(f"limit: must be between 1 and {PAGE_MAX}")
    return text(arguments, "after", "") if arguments.get("after") else "", limit or PAGE_DEFAULT


def labels(arguments: dict[str, Any]) -> dict[str, str]:
    """Return labels as Kubernetes takes them."""
    found: dict[str, str] = {}
    for key, value in (optional(arguments, "labels", dict) or {}).items():
        prefix, slash, name = str(key).rpartition("/")
        if (slash and not _PREFIX.fullmatch(prefix)) or not _LABEL_PART.fullmatch(name):
            raise RequestRefused(f"labels: {key!r} is no label: write region=north or example.com/tier=gold")
        if not isinstance(value, str) or (value and not _LABEL_PART.fullmatch(value)):
            raise RequestRefused(
                f"labels: the value of {key!r} must have up to 63 letters, digits, '-', '_', '.'"
            )
        found[str(key)] = value
    return found


def paged(items: list[Any], limit: int, key: str) -> dict[str, Any]:
    """Return one page; `items` has one more than the limit if there are further ones."""
    shown = items[:limit]
    return {"items": shown, "next": shown[-1][key] if len(items) > limit else None}


def initiator(arguments: dict[str, Any]) -> dict[str, str]:
    """Return who asks, as an argument to pass on; nothing if that was not said."""
    user = optional(arguments, "initiated_by", str) or ""
    if len(user) > USER_MAX_CHARS or _CONTROL.search(user):
        raise RequestRefused(f"initiated_by: must be one line of up to {USER_MAX_CHARS} characters")
    if user.startswith(ON_SITE):
        raise RequestRefused(
            f"initiated_by: {ON_SITE} is how histories tell who asked on the site, not at the hub"
        )
    return {"initiated_by": user} if user else {}


def resource(arguments: dict[str, Any]) -> dict[str, str]:
    """Return the object that a request is about, by its whole name."""
    return named_object(arguments.get("resource"), "resource")


def named_object(resource: object, at: str) -> dict[str, str]:
    """Return an object's whole name; `at`: where it stands in the request."""
    if not isinstance(resource, dict) or not all(isinstance(value, str) for value in resource.values()):
        raise RequestRefused(f"{at}: name an object by group, kind, namespace and name")
    if not resource.get("kind") or not resource.get("name"):
        raise RequestRefused(f"{at}: an object has a kind and a name")
    return {part: resource.get(part, "") for part in ("group", "kind", "namespace", "name")}
