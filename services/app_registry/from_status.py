"""What a status document alone says of an application's tree and of its differences, and what it adds to older looks. Pure.

A document tells of the application's own objects: that they are there, their health, whether they are what is desired. What they own,
and which values they have, only a look can tell. Where there was one before, its answer gives that, and the document corrects it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from outrider.manifests.names import Key, Object

OUT_OF_SYNC = "OutOfSync"
NEVER_LOOKED = "nobody asked for its tree while its cluster was there"
NO_VALUES = "what is on the cluster is not known: nobody looked at it while its cluster was there"
_NAMES = ("group", "kind", "namespace", "name")

Resource = Mapping[str, Any]


def key_of(resource: Resource) -> Key:
    """Return which object a resource of a document, a node of a tree or a difference is."""
    return Key(*(str(resource.get(name) or "") for name in _NAMES))


def tree(resources: Iterable[Resource]) -> dict[str, Any]:
    """Return the tree of the application's own objects."""
    nodes = [_node(one) for one in resources]
    return {"nodes": nodes, "orphaned": [], "truncated": False, "refused": [], "stale": NEVER_LOOKED}


def corrected_tree(answer: Mapping[str, Any], resources: Iterable[Resource]) -> dict[str, Any]:
    """Return an older tree with the application's own objects as the document tells them: their health, and those that came since."""
    told = {key_of(one): one for one in resources}
    nodes = []
    for node in answer.get("nodes") or ():
        one = told.pop(key_of(node), None)
        nodes.append(node if one is None else {**node, **_said(one)})
    return {**answer, "nodes": [*nodes, *map(_node, told.values())]}


def _node(resource: Resource) -> dict[str, Any]:
    name = {field: str(resource.get(field) or "") for field in ("group", "version", *_NAMES[1:])}
    return {**name, "uid": "", "parents": [], "created_at": "", **_said(resource)}


def _said(resource: Resource) -> dict[str, Any]:
    said = {"sync": resource["status"]} if resource.get("status") else {}
    return {**said, **({"health": resource["health"]} if resource.get("health") else {})}


def differences(
    resources: Iterable[Resource], desired: Mapping[Key, Object], looked_at: Iterable[Resource], as_of: str
) -> dict[str, Any]:
    """Return the differences of the objects that the document says are out of sync.

    `looked_at`: differences that were seen before, as of `as_of`: they give the live values of those that still differ.
    """
    seen = {key_of(one): one for one in looked_at}
    found = []
    for one in resources:
        if one.get("status") != OUT_OF_SYNC:
            continue
        before = seen.get(key_of(one))
        found.append(_difference(one, desired) if before is None else {**before, "live_as_of": as_of})
    return {"resources": found, "truncated": False}


def _difference(resource: Resource, desired: Mapping[Key, Object]) -> dict[str, Any]:
    key = key_of(resource)
    if resource.get("requiresPruning"):
        state, wanted = "removed", None
    else:
        missing = (resource.get("health") or {}).get("status") == "Missing"
        state, wanted = "added" if missing else "modified", desired.get(key)
    # Of what is missing, nothing is unknown.
    message = {} if state == "added" else {"message": NO_VALUES}
    return {
        **key._asdict(),
        "version": str(resource.get("version") or ""),
        "state": state,
        "desired": wanted,
        "live": None,
        "changes": [],
        **message,
    }
