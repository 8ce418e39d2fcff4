"""Answers in which a controller had a part while the recording did not wait for it.

What a controller writes into an object (its status, its managed fields, the revision annotation) then shows how far it happened to be. Of those
fields only what must hold is compared: all that were recorded are there, and conditions have the recorded status. All other fields of such an
answer are compared as ever, and so are the fields of the status that the request itself wrote.
"""

from __future__ import annotations

from typing import Any

STEPS = {"03-patch-kinds": range(1, 9), "05-server-side-apply-lists": range(1, 6)}
"""The scenarios patch a Deployment as fast as they can, while its controller works on it."""

_REVISION = "deployment.kubernetes.io/revision"
_MANAGER = "kube-controller-manager"


def controller_parts(answer: dict[str, Any]) -> dict[str, Any]:
    """Take out of an answer what the controller wrote."""
    metadata = answer.get("metadata", {})
    entries = metadata.get("managedFields") or ()
    return {
        "status": answer.get("status") or {},
        "annotation": (metadata.get("annotations") or {}).get(_REVISION),
        "fields": next((each["fieldsV1"] for each in entries if each["manager"] == _MANAGER), {}),
    }


def rest(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer without what the controller wrote."""
    metadata = dict(answer["metadata"])
    annotations = {
        key: value for key, value in (metadata.pop("annotations", None) or {}).items() if key != _REVISION
    }
    if annotations:
        metadata["annotations"] = annotations
    entries = [each for each in metadata.get("managedFields") or () if each["manager"] != _MANAGER]
    metadata["managedFields"] = sorted(
        entries, key=lambda each: (each["manager"], each.get("subresource", ""))
    )
    return {**{key: value for key, value in answer.items() if key != "status"}, "metadata": metadata}


def missing(recorded: dict[str, Any], found: dict[str, Any], written: dict[str, Any]) -> list[str]:
    """List what the recorded answer has of the controller's, and the one found has not. `written` is the status that the request set."""
    ours, theirs = controller_parts(recorded), controller_parts(found)
    out = [f".status.{name}: recorded, not found" for name in ours["status"] if name not in theirs["status"]]
    out += [
        f".status.{name}: {value!r} written, {theirs['status'].get(name)!r} found"
        for name, value in written.items()
        if theirs["status"].get(name) != value
    ]
    turned = {each["type"]: each["status"] for each in theirs["status"].get("conditions") or ()}
    out += [
        f".status.conditions: {each['type']} {each['status']} recorded, {turned.get(each['type'])} found"
        for each in ours["status"].get("conditions") or ()
        if turned.get(each["type"]) != each["status"]
    ]
    if ours["annotation"] and not theirs["annotation"]:
        out.append(f".metadata.annotations: {_REVISION} recorded, not found")
    return out + _missing_fields(ours["fields"], theirs["fields"], ".metadata.managedFields")


def _missing_fields(recorded: dict[str, Any], found: dict[str, Any], path: str) -> list[str]:
    out = []
    for step, inner in recorded.items():
        if step not in found:
            out.append(f"{path}: {step} recorded, not found")
        else:
            out += _missing_fields(inner, found[step], f"{path}/{step}")
    return out
