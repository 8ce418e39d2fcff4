"""Read a command's arguments; what is wrong with them is a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.applications import Selector
from edge_agent.cluster import Key

if TYPE_CHECKING:
    from collections.abc import Mapping

_RESOURCE = (
    "a resource is named by kind and name, and by group and namespace where it has them: "
    '{"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "till"}'
)


class CannotDo(Exception):
    """The command can't be carried out; the message is a sentence for the person who asked."""


def text(arguments: Mapping[str, Any], name: str) -> str:
    """Return an argument that is a text, empty where it is absent."""
    value = arguments.get(name)
    if value is not None and not isinstance(value, str):
        raise CannotDo(f"{name} must be a text")
    return value or ""


def flag(arguments: Mapping[str, Any], name: str) -> bool:
    """Return an argument that is true or false; absent is false."""
    value = arguments.get(name)
    if value is not None and not isinstance(value, bool):
        raise CannotDo(f"{name} must be true or false")
    return bool(value)


def number(arguments: Mapping[str, Any], name: str) -> int | None:
    """Return an argument that is a whole number, None where it is absent."""
    value = arguments.get(name)
    if value is not None and type(value) is not int:
        raise CannotDo(f"{name} must be a whole number")
    return value


def texts(arguments: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    """Return an argument that is a list of texts, None where it is absent."""
    value = arguments.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise CannotDo(f"{name} must be a list of texts")
    return tuple(value)


def selector(raw: Any) -> Selector:
    """Read which resource is meant."""
    match raw:
        case {"kind": str(kind), "name": str(name)} if kind and name:
            return Selector(str(raw.get("group") or ""), kind, name, str(raw.get("namespace") or ""))
    raise CannotDo(_RESOURCE)


def selectors(arguments: Mapping[str, Any]) -> tuple[Selector, ...]:
    """Read which resources are meant; none: all."""
    raw = arguments.get("resources") or []
    if not isinstance(raw, list):
        raise CannotDo(f"resources must be a list; {_RESOURCE}")
    return tuple(map(selector, raw))


def resource(arguments: Mapping[str, Any]) -> Key:
    """Read the one resource that a command is about."""
    found = selector(arguments.get("resource"))
    return Key(found.group, found.kind, found.namespace, found.name)
