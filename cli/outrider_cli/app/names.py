"""How objects on a cluster are written: `Deployment.apps`, `shop/web`, and the form that options take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def kind_text(resource: Mapping[str, Any]) -> str:
    """Return an object's kind, as `Deployment.apps`."""
    group = resource.get("group")
    return f"{resource.get('kind')}.{group}" if group else str(resource.get("kind"))


def place_text(resource: Mapping[str, Any]) -> str:
    """Return an object's name with its namespace, as `shop/web`."""
    namespace = resource.get("namespace")
    return f"{namespace}/{resource.get('name')}" if namespace else str(resource.get("name"))


def selector_text(resource: Mapping[str, Any]) -> str:
    """Return an object as `--resource` takes it, as `apps:Deployment:shop/web`."""
    return f"{resource.get('group') or ''}:{resource.get('kind')}:{place_text(resource)}"


def selector_of(resource: Mapping[str, Any]) -> dict[str, str]:
    """Return what a request names an object by."""
    return {name: str(resource.get(name) or "") for name in ("group", "kind", "namespace", "name")}
