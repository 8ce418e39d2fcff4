"""Who controls whom."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from ..selectors import SelectorError, from_label_selector, matches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resources import Resource
    from ..state import State
    from ..store import Change, Key, Storage
    from ..values import Manifest
    from .actor import Actor

_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"


def reference(resource: Resource, owner: Manifest) -> dict[str, Any]:
    """Return the owner reference by which this object controls another."""
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller_of(manifest: Manifest) -> dict[str, Any] | None:
    """Return the reference to the object that controls this one."""
    owners = manifest["metadata"].get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller")), None)


def controlled(state: State, storage: Storage, owner: Manifest) -> list[Manifest]:
    """List the objects of a resource that this one controls."""
    uid = owner["metadata"]["uid"]
    return [
        manifest
        for found, _, manifest in state.store.children_of(uid)
        if found == storage and (controller_of(manifest) or {}).get("uid") == uid
    ]


def owner_keys(change: Change, kind: str) -> Iterator[Key]:
    """Name the objects of a kind that controlled the changed object, before or after the change."""
    for manifest in (change.manifest, change.before):
        owner = controller_of(manifest) if manifest is not None else None
        if owner is not None and owner["kind"] == kind:
            yield (change.key[0], owner["name"])


def adopt(actor: Actor, owner_resource: Resource, owner: Manifest, resource: Resource) -> list[Manifest]:
    """Take over what matches the owner's selector and has no controller; return all that it controls then."""
    mine = controlled(actor.state, resource.storage, owner)
    namespace = owner["metadata"]["namespace"]
    try:
        selector = from_label_selector(owner["spec"].get("selector"))
    except SelectorError:
        return mine
    for manifest in actor.state.store.listed(resource.storage, namespace):
        metadata = manifest["metadata"]
        if (
            controller_of(manifest) is None
            and not metadata.get("deletionTimestamp")
            and matches(selector, metadata.get("labels"))
        ):
            owners = [*(metadata.get("ownerReferences") or ()), reference(owner_resource, owner)]
            mine.append(actor.update(resource, manifest, metadata={**metadata, "ownerReferences": owners}))
    return mine


def short_hash(value: Any) -> str:
    """Return a short name for a value, the same for equal values: what tells one pod template from another."""
    digest = 0x811C9DC5
    for byte in json.dumps(value, sort_keys=True, separators=(",", ":")).encode():
        digest = ((digest ^ byte) * 0x01000193) & 0xFFFFFFFF
    return "".join(_ALPHABET[ord(figure) % len(_ALPHABET)] for figure in str(digest))
