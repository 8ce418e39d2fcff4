"""The destination namespace, where the application makes it: `CreateNamespace`, `managedNamespaceMetadata`.

It isn't tracked: it may hold more than this application, and isn't its to prune. Its labels and annotations are
held by a field manager of the application's own, so that two applications of one namespace don't take each
other's away. An application may only do this where its project lets it touch Namespaces at all: who may not
could otherwise loosen the Pod security of a namespace by a label.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from edge_agent.cluster import FIELD_MANAGER, Forbidden, InvalidObject, Key, Kind, NotFound, Object, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.applications.sync_context import SyncContext

_KIND = Kind("", "v1", "Namespace")
# Kubernetes' limit for a field manager's name, in characters.
_MANAGER_LIMIT = 128


def makes_namespace(context: SyncContext) -> bool:
    """Say whether the sync makes the destination namespace."""
    return context.on("CreateNamespace") and bool(context.state.policy.namespace)


def namespace_key(context: SyncContext) -> Key:
    """Return the destination namespace."""
    return Key("", "Namespace", "", context.state.policy.namespace)


async def ensure_namespace(context: SyncContext) -> None:
    """Make the destination namespace and its metadata where that is asked for. Raises `Transient`."""
    key = namespace_key(context)
    if not makes_namespace(context) or key in context.index.entries or context.running.done:
        return
    if context.running.only is not None:
        # Healing: it was there, and should it be gone the heal fails and a whole sync follows.
        return
    metadata = _metadata(context)
    if await _is_right(key, metadata, context):
        return
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": key.name, **metadata}}
    manager = f"{FIELD_MANAGER}-{context.state.app}"[:_MANAGER_LIMIT] if metadata else FIELD_MANAGER
    with contextlib.suppress(Forbidden, InvalidObject, Refused):
        # A refusal shows where it hurts: at the objects that have no namespace to go to.
        await context.around.cluster.apply(
            _KIND, key, manifest, dry_run=context.running.dry_run, manager=manager
        )


async def _is_right(key: Key, metadata: Mapping[str, Any], context: SyncContext) -> bool:
    try:
        live = await context.around.cluster.get(_KIND, key)
    except NotFound:
        return False
    except Forbidden:
        # Without the right to read namespaces it may well be there.
        return not metadata
    return all(_holds(live, part, wanted) for part, wanted in metadata.items())


def _holds(live: Object, part: str, wanted: Mapping[str, str]) -> bool:
    held = live["metadata"].get(part) or {}
    return all(held.get(name) == value for name, value in wanted.items())


def _metadata(context: SyncContext) -> dict[str, Any]:
    spec = context.state.desired.spec if context.state.desired else {}
    managed = (spec.get("syncPolicy") or {}).get("managedNamespaceMetadata") or {}
    return {part: dict(managed[part]) for part in ("labels", "annotations") if managed.get(part)}
