"""`outrider project`: what applications may be made of, where they may run, and when they may sync."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from outrider import subjects
from outrider_cli.asking import asking
from outrider_cli.output import Format, emit, fields, objects_option, styled, table
from outrider_cli.state_folder import hub_option

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rich.console import RenderableType

    from outrider_cli.hub import Hub

Item = dict[str, Any]


@click.group()
def project() -> None:
    """Look at and delete projects, see their sync windows.

    A project is Argo CD's AppProject (argoproj.io/v1alpha1); `outrider app apply` creates and updates it.
    """


@project.command("list")
@hub_option
@objects_option
def list_projects(state: Path | None, output: Format) -> None:
    """List projects."""

    async def everything(hub: Hub) -> list[Item]:
        return [item async for item in hub.pages(subjects.registry("project.list"))]

    items = asking(state, everything)
    emit(
        items,
        output,
        lambda: _listed(items),
        names=(f"project/{item['name']}" for item in items),
    )


def _listed(items: list[Item]) -> RenderableType:
    rows = [
        [
            str(item["name"]),
            str(item.get("applications", "")),
            str(item.get("windows") or ""),
            str(item.get("description") or ""),
        ]
        for item in items
    ]
    return table(["NAME", "APPLICATIONS", "SYNC WINDOWS", "DESCRIPTION"], rows)


async def _spec(hub: Hub, name: str) -> tuple[Item, Item]:
    item = await hub.registry("project.get", name=name)
    return dict(item), (item.get("manifest") or {}).get("spec") or {}


@project.command()
@click.argument("name")
@hub_option
@objects_option
def get(name: str, state: Path | None, output: Format) -> None:
    """Show project NAME: what it allows and what it denies."""
    item, spec = asking(state, lambda hub: _spec(hub, name))
    emit(item, output, lambda: _shown(name, item, spec), names=[f"project/{name}"])


def _shown(name: str, item: Item, spec: Item) -> RenderableType:
    if not item.get("manifest"):
        return styled(f"Project {name} allows everything: nobody has applied another one of that name.", "")
    pairs = [
        ("name", name),
        ("description", str(spec.get("description") or "")),
        ("applications", str(item.get("applications", ""))),
        ("repositories", "\n".join(str(one) for one in spec.get("sourceRepos") or ())),
        ("destinations", "\n".join(_destination(one) for one in spec.get("destinations") or ())),
        *(
            (title, ", ".join(_group_kind(one) for one in spec.get(field) or ()))
            for title, field in _KINDS.items()
        ),
        ("sync windows", str(len(spec.get("syncWindows") or ()) or "")),
        ("orphaned resources", _orphans(spec.get("orphanedResources"))),
    ]
    return fields((title, _lines(text)) for title, text in pairs)


_KINDS = {
    "cluster kinds allowed": "clusterResourceWhitelist",
    "cluster kinds denied": "clusterResourceBlacklist",
    "kinds allowed": "namespaceResourceWhitelist",
    "kinds denied": "namespaceResourceBlacklist",
}


def _lines(text: str) -> str:
    return ", ".join(text.split("\n"))


def _destination(one: Item) -> str:
    return f"{one.get('name') or one.get('server') or '*'}/{one.get('namespace') or '*'}"


def _group_kind(one: Item) -> str:
    kind = str(one.get("kind"))
    return f"{kind}.{one['group']}" if one.get("group") else kind


def _orphans(found: Item | None) -> str:
    if found is None:
        return ""
    return "warned of" if found.get("warn", True) else "watched"


@project.command()
@click.argument("name")
@hub_option
@objects_option
def windows(name: str, state: Path | None, output: Format) -> None:
    """List the sync windows of project NAME.

    An application that waits for one says so, and until when, in `outrider app get`: windows are judged by its cluster, in the
    window's time zone, or else in that of the cluster.
    """
    _, spec = asking(state, lambda hub: _spec(hub, name))
    found = list(spec.get("syncWindows") or ())
    emit(found, output, lambda: _windows(found), names=(_window_name(one) for one in found))


def _windows(found: list[Item]) -> RenderableType:
    if not found:
        return styled("No sync windows: applications may sync at any time.", "")
    rows = [
        [
            str(number),
            str(one.get("kind")),
            str(one.get("schedule")),
            str(one.get("duration")),
            str(one.get("timeZone") or "of the cluster"),
            _selected(one),
            "allowed" if one.get("manualSync") else "",
            "goes on" if one.get("syncOverrun") else "",
        ]
        for number, one in enumerate(found)
    ]
    titles = ["ID", "KIND", "SCHEDULE", "DURATION", "TIME ZONE", "FOR", "MANUAL SYNC", "RUNNING SYNC"]
    return table(titles, rows)


def _selected(window: Item) -> str:
    """Return what a window is for, as `applications web,till or clusters shop*`."""
    parts = [
        f"{field} {','.join(_texts(window[field]))}"
        for field in ("applications", "namespaces", "clusters")
        if window.get(field)
    ]
    return (" and " if window.get("andOperator") else " or ").join(parts)


def _texts(values: Iterable[Any]) -> list[str]:
    return [str(one) for one in values]


def _window_name(window: Item) -> str:
    return " ".join(str(window.get(field) or "") for field in ("kind", "schedule", "duration"))


@project.command()
@click.argument("name")
@hub_option
@objects_option
def delete(name: str, state: Path | None, output: Format) -> None:
    """Delete project NAME. Refused while applications belong to it; project default then allows everything again."""

    async def gone(hub: Hub) -> Item:
        return await hub.registry("project.delete", name=name)

    answer = {**asking(state, gone), "name": name, "result": "deleted"}
    emit(answer, output, lambda: styled(f"project/{name} {answer['result']}", ""), names=[f"project/{name}"])
