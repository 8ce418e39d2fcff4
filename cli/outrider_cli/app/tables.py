"""Applications as tables: a line each, or one with its objects."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from outrider_cli import freshness
from outrider_cli.app.names import kind_text, place_text, selector_text
from outrider_cli.output import fields, styled, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType
    from rich.text import Text

TITLES = ["NAME", "CLUSTER", "SYNC", "HEALTH", "REVISION", "LAST WORD", "MESSAGE"]
_WIDE = ["PROJECT", "PRESENCE", "DESIRED"]


def listed(items: Sequence[dict[str, Any]], *, wide: bool = False) -> RenderableType:
    """Return a line an application."""
    if not items:
        return styled("No applications.", "")
    now = datetime.now().astimezone()
    if not wide:
        return table(TITLES, (line(item, now) for item in items))
    # What a message may be long for stays the last column.
    titles = [*TITLES[:-1], *_WIDE, TITLES[-1]]
    return table(titles, ([*(cells := line(item, now))[:-1], *_more(item), cells[-1]] for item in items))


def _more(item: dict[str, Any]) -> list[str]:
    return [
        str(item.get("project") or "default"),
        str(item.get("presence") or "unknown"),
        str(item.get("desired_revision") or "-"),
    ]


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
    objects = (seen.get("document") or {}).get("resources") or ()
    if objects:
        parts += ["", resources(objects, seen, now)]
    return Group(*parts)


RESOURCE_TITLES = ["KIND", "NAME", "SYNC", "HEALTH", "MESSAGE"]
_RESOURCE_WIDE = ["VERSION", "WAVE", "HOOK", "OPTION"]


def resources(
    objects: Iterable[dict[str, Any]], seen: dict[str, Any], now: datetime, *, wide: bool = False
) -> RenderableType:
    """Return a line an object of an application."""
    if not wide:
        return table(RESOURCE_TITLES, (_resource(one, seen, now) for one in objects))
    titles = [*RESOURCE_TITLES[:-1], *_RESOURCE_WIDE, RESOURCE_TITLES[-1]]
    lines = ((_resource(one, seen, now), one) for one in objects)
    return table(titles, ([*cells[:-1], *_resource_more(one), cells[-1]] for cells, one in lines))


def _resource_more(resource: dict[str, Any]) -> list[str]:
    wave = resource.get("syncWave")
    return [
        str(resource.get("version") or ""),
        "" if wave is None else str(wave),
        "yes" if resource.get("hook") else "",
        selector_text(resource),
    ]


def _wanted(item: dict[str, Any]) -> list[tuple[str, str]]:
    spec = (item.get("manifest") or {}).get("spec") or {}
    sources = spec.get("sources") or [spec.get("source") or {}]
    destination = spec.get("destination") or {}
    desired = item.get("desired") or {}
    return [
        ("name", str(item["name"])),
        ("project", str(spec.get("project") or "default")),
        ("cluster", str(item.get("cluster") or "")),
        ("namespace", str(destination.get("namespace") or "")),
        *(pair for source in sources for pair in _source(source)),
        ("desired revision", freshness.short_revision(desired.get("revision"))),
        ("rendered", "at its edge" if item.get("render") == "edge" else ""),
        ("deleting", "yes" if item.get("deleting") else ""),
    ]


def _source(source: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        ("repository", str(source.get("repoURL") or "")),
        ("path", str(source.get("path") or source.get("chart") or "")),
        ("target revision", str(source.get("targetRevision") or "HEAD")),
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
    # An object's words are as old as those of its application.
    aged = {**seen, "sync": resource.get("status"), "health": health.get("status")}
    return [
        kind_text(resource),
        place_text(resource) + _waits(resource),
        freshness.word(aged, "sync", now) if resource.get("status") or not resource.get("hook") else "",
        freshness.word(aged, "health", now) if health else "",
        str(health.get("message") or ""),
    ]


def _waits(resource: dict[str, Any]) -> str:
    if resource.get("requiresDeletionConfirmation"):
        return " (its deletion waits for `app approve`)"
    return " (to be pruned)" if resource.get("requiresPruning") else ""
