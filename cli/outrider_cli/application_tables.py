"""Applications as tables: a line each, or one with its objects."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from outrider_cli import freshness
from outrider_cli.output import fields, styled, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType
    from rich.text import Text

TITLES = ["NAME", "CLUSTER", "SYNC", "HEALTH", "REVISION", "LAST WORD", "MESSAGE"]


def listed(items: Sequence[dict[str, Any]]) -> RenderableType:
    """Return a line an application."""
    if not items:
        return styled("No applications.", "")
    now = datetime.now().astimezone()
    return table(TITLES, (line(item, now) for item in items))


def line(item: dict[str, Any], now: datetime) -> list[str | Text]:
    """Return the cells of an application."""
    return [
        str(item.get("name")),
        str(item.get("cluster") or "-"),
        freshness.word(item, "sync", now),
        freshness.word(item, "health", now),
        _revision(item),
        freshness.last_word(item, now),
        str(item.get("message") or ""),
    ]


def _revision(item: dict[str, Any]) -> str:
    """Return the revision that runs, and the one that should while the cluster has not taken it."""
    seen = freshness.short_revision(item.get("revision"))
    wanted = freshness.short_revision(item.get("desired_revision"))
    if not wanted or wanted == seen:
        return seen or "-"
    return f"{seen or '-'} (wanted: {wanted})"


def shown(item: dict[str, Any]) -> RenderableType:
    """Return one application: what it should be, what it is, its conditions and objects."""
    from rich.console import Group

    now = datetime.now().astimezone()
    seen = item.get("status") or {}
    parts: list[RenderableType] = [fields([*_wanted(item), *_seen(seen, now)])]
    conditions = _unique([*(item.get("conditions") or ()), *(seen.get("conditions") or ())])
    if conditions:
        parts += ["", table(["CONDITION", "MESSAGE"], conditions)]
    resources = (seen.get("document") or {}).get("resources") or ()
    if resources:
        parts += [
            "",
            table(
                ["KIND", "NAME", "SYNC", "HEALTH", "MESSAGE"],
                (_resource(one, seen, now) for one in resources),
            ),
        ]
    return Group(*parts)


def _wanted(item: dict[str, Any]) -> list[tuple[str, str]]:
    spec = (item.get("manifest") or {}).get("spec") or {}
    source = spec.get("source") or {}
    destination = spec.get("destination") or {}
    desired = item.get("desired") or {}
    return [
        ("name", str(item["name"])),
        ("project", str(spec.get("project") or "default")),
        ("cluster", str(item.get("cluster") or "")),
        ("namespace", str(destination.get("namespace") or "")),
        ("repository", str(source.get("repoURL") or "")),
        ("path", str(source.get("path") or source.get("chart") or "")),
        ("target revision", str(source.get("targetRevision") or "HEAD")),
        ("desired revision", freshness.short_revision(desired.get("revision"))),
        ("deleting", "yes" if item.get("deleting") else ""),
    ]


def _seen(seen: dict[str, Any], now: datetime) -> list[tuple[str, str | Text]]:
    if not seen:
        return []
    operation = (seen.get("document") or {}).get("operationState") or {}
    return [
        ("sync", freshness.word(seen, "sync", now)),
        ("health", freshness.word(seen, "health", now)),
        ("revision", freshness.short_revision(seen.get("revision"))),
        ("last word", freshness.last_word(seen, now)),
        ("message", str(seen.get("message") or "")),
        ("operation", " ".join(str(operation.get(name) or "") for name in ("phase", "message")).strip()),
    ]


def _unique(conditions: Iterable[dict[str, Any]]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((str(one.get("type")), str(one.get("message"))) for one in conditions))


def _resource(resource: dict[str, Any], seen: dict[str, Any], now: datetime) -> list[str | Text]:
    health = resource.get("health") or {}
    group, namespace = resource.get("group"), resource.get("namespace")
    # An object's words are as old as those of its application.
    aged = {**seen, "sync": resource.get("status"), "health": health.get("status")}
    wanted = " (to be pruned)" if resource.get("requiresPruning") else ""
    return [
        f"{resource.get('kind')}.{group}" if group else str(resource.get("kind")),
        f"{namespace}/{resource.get('name')}{wanted}" if namespace else f"{resource.get('name')}{wanted}",
        freshness.word(aged, "sync", now),
        freshness.word(aged, "health", now) if health else "",
        str(health.get("message") or ""),
    ]
