"""An operation (a sync, a rollback) as the status document tells it: how far it is, what it did to each object. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from outrider_cli import freshness
from outrider_cli.app.names import kind_text, place_text
from outrider_cli.output import fields, styled, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Group

FINISHED = ("Succeeded", "Failed", "Error")
HOOKS_TOLD = 3


def of(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the last operation in an answer of `hub.status.app`; {} if there was none."""
    return (item.get("document") or {}).get("operationState") or {}


def progress(operation: Mapping[str, Any]) -> str:
    """Return how far a running operation is, in words; empty if none runs."""
    if operation.get("phase") != "Running":
        return ""
    resources = results(operation)
    done = sum(1 for one in resources if one.get("status") and not one.get("hookType"))
    objects = sum(1 for one in resources if not one.get("hookType"))
    parts = [
        f"{done} of {objects} objects" if objects else "",
        _hooks(resources),
        str(operation.get("message") or ""),
    ]
    return "; ".join(part for part in parts if part)


def _hooks(resources: list[dict[str, Any]]) -> str:
    running = [one for one in resources if one.get("hookPhase") == "Running"]
    told = [f"{one.get('hookType')} hook {place_text(one)}" for one in running[:HOOKS_TOLD]]
    more = len(running) - len(told)
    return ", ".join(told) + (f" and {more} more" if more else "") + (" running" if told else "")


def results(operation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what an operation did to each object."""
    return list((operation.get("syncResult") or {}).get("resources") or ())


def as_table(operation: Mapping[str, Any], word: str = "sync") -> Group:
    """Return an operation and what it did to each object. `word`: what it is called."""
    from rich.console import Group

    good = operation.get("phase") == "Succeeded"
    result = operation.get("syncResult") or {}
    head = fields(
        [
            (word, styled(str(operation.get("phase")), "green" if good else "red")),
            ("revision", freshness.short_revision(result.get("revision"))),
            ("message", str(operation.get("message") or "")),
            ("finished", str(operation.get("finishedAt") or "")),
            ("asked for by", asked_by(operation.get("operation") or {})),
        ]
    )
    rows = [_row(one) for one in results(operation)]
    return (
        Group(head, "", table(["KIND", "NAME", "RESULT", "HOOK", "MESSAGE"], rows)) if rows else Group(head)
    )


def _row(resource: dict[str, Any]) -> list[str]:
    hook = " ".join(str(resource.get(name) or "") for name in ("hookType", "hookPhase")).strip()
    return [
        kind_text(resource),
        place_text(resource),
        str(resource.get("status") or ""),
        hook,
        str(resource.get("message") or ""),
    ]


def asked_by(operation: Mapping[str, Any]) -> str:
    """Return who asked for an operation, or that it came about by itself; takes an operation or an entry of the history."""
    by = operation.get("initiatedBy") or {}
    return "automated" if by.get("automated") else str(by.get("username") or "")
