"""What happened, read off an application's status document before and after. Pure.

The documents are the one account of an application; the journal says what became another in them, and holds no value of any
object: names, words and sentences that the document shows too.
"""

from collections.abc import Iterator, Mapping
from typing import Any

MESSAGE_MAX_CHARS = 300
Happened = tuple[str, dict[str, Any]]
"""Kind and detail of an entry."""

_TOLD_OTHERWISE = {"Hold"}
# Once for the cluster, not by each application that is held.
_SYNC_ENDS = {"Succeeded": "sync-succeeded", "Failed": "sync-failed", "Error": "sync-failed"}


def observed(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[Happened]:
    """Return what happened between two documents of an application, in the order in which it did; None: there is none."""
    if after is None:
        return [("removed", {})] if before is not None else []
    if before is None:
        # The first document of a process tells a state, not a change; a sync that ended did happen.
        return [happened for happened in _operation({}, after) if happened[0] != "sync-started"]
    return [
        *_drift(before, after),
        *_operation(before, after),
        *_health(before, after),
        *_conditions(before, after),
    ]


def _operation(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Happened]:
    old, new = before.get("operationState") or {}, after.get("operationState") or {}
    if not new or _identity(old) == _identity(new):
        return
    detail = {"revision": _revision(new, after), "startedAt": new.get("startedAt", "")}
    if new.get("phase") == "Running":
        if old.get("startedAt") != new.get("startedAt") or old.get("phase") != "Running":
            yield "sync-started", detail
        return
    kind = _SYNC_ENDS.get(str(new.get("phase")))
    if kind is None:
        return
    results = (new.get("syncResult") or {}).get("resources") or ()
    failed = [one for one in results if one.get("status") == "SyncFailed"]
    detail |= {"finishedAt": new.get("finishedAt", ""), "resources": len(results)}
    if kind == "sync-failed":
        detail |= {"message": _short(new.get("message")), "failed": len(failed)}
    if who := _who(new):
        detail["by"] = who
    yield kind, detail


def _identity(operation: Mapping[str, Any]) -> tuple[object, ...]:
    return operation.get("phase"), operation.get("startedAt"), operation.get("finishedAt")


def _revision(operation: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    result = operation.get("syncResult") or {}
    return str(result.get("revision") or (document.get("sync") or {}).get("revision") or "")


def _who(operation: Mapping[str, Any]) -> str:
    by = (operation.get("operation") or {}).get("initiatedBy") or {}
    return str(by.get("username") or "")


def _drift(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Happened]:
    """Out of sync at the same revision is drift; at another one it is only news."""
    old, new = before.get("sync") or {}, after.get("sync") or {}
    if old.get("status") == new.get("status"):
        return
    if new.get("status") == "OutOfSync" and old.get("revision") == new.get("revision"):
        off = [_named(one) for one in after.get("resources") or () if one.get("status") == "OutOfSync"]
        yield "drift", {"resources": off[:10], "count": len(off)}
    elif new.get("status") == "Synced" and old.get("status") == "OutOfSync":
        yield "in-sync", {"revision": str(new.get("revision") or "")}


def _named(resource: Mapping[str, Any]) -> str:
    place = f"{resource['namespace']}/" if resource.get("namespace") else ""
    return f"{resource.get('kind')} {place}{resource.get('name')}"


def _health(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Happened]:
    old, new = before.get("health") or {}, after.get("health") or {}
    if old.get("status") == new.get("status"):
        return
    detail = {"from": str(old.get("status") or ""), "to": str(new.get("status") or "")}
    if new.get("message"):
        detail["message"] = _short(new["message"])
    yield "health", detail


def _conditions(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Happened]:
    """A condition that comes or goes, by its type: its sentence may change with every attempt."""
    old = {str(one.get("type")) for one in before.get("conditions") or ()} - _TOLD_OTHERWISE
    new = {str(one.get("type")): one for one in after.get("conditions") or ()}
    new = {kind: one for kind, one in new.items() if kind not in _TOLD_OTHERWISE}
    for kind in sorted(new.keys() - old):
        yield "condition", {"type": kind, "is": True, "message": _short(new[kind].get("message"))}
    for kind in sorted(old - new.keys()):
        yield "condition", {"type": kind, "is": False}


def _short(message: object) -> str:
    text = str(message or "")
    return text if len(text) <= MESSAGE_MAX_CHARS else text[: MESSAGE_MAX_CHARS - 1] + "…"
