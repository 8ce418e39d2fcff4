"""`outrider app sync`: ask the application's cluster to sync, and see what became of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from outrider_cli import waiting
from outrider_cli.failure import Refused
from outrider_cli.output import fields, styled, table

if TYPE_CHECKING:
    from rich.console import Group, RenderableType

    from outrider_cli.hub import Hub

_TELL_APART_S = 2.0
# Operations are told apart by when they began, which the edge writes in whole seconds.


@dataclass(frozen=True)
class Sync:
    """What is asked for."""

    name: str
    prune: bool = False
    dry_run: bool = False
    resources: tuple[dict[str, str], ...] = ()


def selectors(
    _context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]
) -> tuple[dict[str, str], ...]:
    """Return objects from `group:Kind:namespace/name`; a usage error shows the form."""
    return tuple(_selector(one) for one in given)


def _selector(text: str) -> dict[str, str]:
    group, _, rest = text.partition(":")
    kind, _, place = rest.partition(":")
    namespace, slash, name = place.partition("/")
    if not slash:
        namespace, name = "", place
    if not kind or not name or ":" in place or "/" in name:
        raise click.BadParameter(
            f"{text!r} names no object: write GROUP:KIND:NAMESPACE/NAME, as apps:Deployment:shop/web, with an empty group "
            "for core kinds and without NAMESPACE/ for what has none"
        )
    return {"group": group, "kind": kind, "namespace": namespace, "name": name}


async def sync(hub: Hub, wanted: Sync, wait_s: float | None) -> dict[str, Any]:
    """Start a sync; return the agent's answer, with `operationState` of the finished operation if it was waited for."""
    before = await _last_operation(hub, wanted.name) if wait_s is not None else {}
    answer = await hub.registry(
        "app.sync",
        name=wanted.name,
        prune=wanted.prune or None,
        dry_run=wanted.dry_run or None,
        resources=list(wanted.resources) or None,
    )
    found = {"name": wanted.name, **answer}
    if wait_s is None:
        return found
    item = await waiting.until(hub, wanted.name, waiting.Goal(operation_after=before), wait_s)
    return {**found, "operationState": waiting.operation_of(item)}


async def _last_operation(hub: Hub, name: str) -> dict[str, Any]:
    try:
        operation = waiting.operation_of(await hub.status("app", name=name))
    except Refused:
        # Nothing is known of it yet; whether it exists is for the registry to say.
        return {}
    started = str(operation.get("startedAt", ""))
    if started >= _timestamp(datetime.now(UTC) - timedelta(seconds=_TELL_APART_S)):
        await asyncio.sleep(_TELL_APART_S)
    return operation


def _timestamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def failed(answer: dict[str, Any]) -> bool:
    """Say whether a finished operation did not succeed."""
    operation = answer.get("operationState")
    return operation is not None and operation.get("phase") != "Succeeded"


def as_table(answer: dict[str, Any]) -> RenderableType:
    """Return what became of it; of each object if it has finished."""
    operation = answer.get("operationState")
    if operation is None:
        return styled(f"application/{answer['name']} sync {answer.get('result', 'started')}", "")
    return operation_table(operation)


def operation_table(operation: dict[str, Any]) -> Group:
    """Return an operation and what it did to each object."""
    from rich.console import Group

    result = operation.get("syncResult") or {}
    head = fields(
        [
            (
                "sync",
                styled(
                    str(operation.get("phase")), "red" if operation.get("phase") != "Succeeded" else "green"
                ),
            ),
            ("message", str(operation.get("message") or "")),
            ("finished", str(operation.get("finishedAt") or "")),
        ]
    )
    rows = [
        [_kind(one), _place(one), str(one.get("status") or ""), str(one.get("message") or "")]
        for one in result.get("resources") or ()
    ]
    return Group(head, "", table(["KIND", "NAME", "RESULT", "MESSAGE"], rows)) if rows else Group(head)


def _kind(resource: dict[str, Any]) -> str:
    group = resource.get("group")
    return f"{resource.get('kind')}.{group}" if group else str(resource.get("kind"))


def _place(resource: dict[str, Any]) -> str:
    namespace = resource.get("namespace")
    return f"{namespace}/{resource.get('name')}" if namespace else str(resource.get("name"))
