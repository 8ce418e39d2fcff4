"""Hand fields over from one field manager to another. Pure.

What Kubernetes' `csaupgrade` does: the entries of the former managers are united with the one that the
manager applies with, and go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def taken_over(live: Mapping[str, Any], manager: str, former: Collection[str]) -> list[dict[str, Any]] | None:
    """Return the `managedFields` in which the manager's applied set has what the former managers, and the
    manager itself by other writes, hold; None where there is nothing to hand over.
    """
    entries = list((live.get("metadata") or {}).get("managedFields") or ())
    mine = next((entry for entry in entries if _is_applied(entry, manager)), None)
    theirs = [entry for entry in entries if entry is not mine and _is_former(entry, manager, former)]
    if not theirs:
        return None
    kept = [entry for entry in entries if entry is not mine and entry not in theirs]
    mine = mine or {**theirs[0], "manager": manager, "operation": "Apply", "fieldsV1": {}}
    fields = mine.get("fieldsV1") or {}
    for entry in theirs:
        held = {name: part for name, part in (entry.get("fieldsV1") or {}).items() if name != "f:status"}
        fields = _united(fields, held)
    return [*kept, {**mine, "fieldsV1": fields}]


def _is_applied(entry: Mapping[str, Any], manager: str) -> bool:
    return (
        entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource")
    )


def _is_former(entry: Mapping[str, Any], manager: str, former: Collection[str]) -> bool:
    if entry.get("subresource"):
        return False
    name = entry.get("manager")
    return name in former or (name == manager and entry.get("operation") == "Update")


def _united(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _united(one.get(name) or {}, other.get(name) or {}) for name in dict.fromkeys((*one, *other))
    }
