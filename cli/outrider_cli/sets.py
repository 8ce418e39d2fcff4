"""`outrider set`: application sets, which describe many applications at once."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from outrider import subjects
from outrider_cli import freshness
from outrider_cli.asking import asking
from outrider_cli.output import Format, emit, fields, objects_option, styled, table
from outrider_cli.state_folder import hub_option

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from outrider_cli.hub import Hub

Item = dict[str, Any]


@click.group("set")
def application_sets() -> None:
    """Look at and delete application sets.

    A set is Argo CD's ApplicationSet (argoproj.io/v1alpha1); `outrider app apply` creates and updates it.
    """


@application_sets.command("list")
@hub_option
@objects_option
def list_sets(state: Path | None, output: Format) -> None:
    """List application sets."""

    async def everything(hub: Hub) -> list[Item]:
        return [item async for item in hub.pages(subjects.registry("set.list"))]

    items = asking(state, everything)
    emit(items, output, lambda: _listed(items), names=(f"set/{item['name']}" for item in items))


def _listed(items: list[Item]) -> RenderableType:
    if not items:
        return styled("No application sets.", "")
    now = datetime.now().astimezone()
    rows = [
        [
            str(item["name"]),
            str(item.get("project") or ""),
            ", ".join(str(one) for one in item.get("generators") or ()),
            freshness.ago(item.get("created_at_ms"), now),
        ]
        for item in items
    ]
    return table(["NAME", "PROJECT", "GENERATORS", "ADDED"], rows)


def _generators(item: Item) -> str:
    """Return what kinds of generators a set has."""
    found = ((item.get("manifest") or {}).get("spec") or {}).get("generators") or ()
    kinds = (next((key for key in one if key != "selector"), "") for one in found if isinstance(one, dict))
    return ", ".join(kinds)


@application_sets.command()
@click.argument("name")
@hub_option
@objects_option
def get(name: str, state: Path | None, output: Format) -> None:
    """Show application set NAME."""

    async def asked(hub: Hub) -> Item:
        return await hub.registry("set.get", name=name)

    item = asking(state, asked)
    emit(item, output, lambda: _shown(name, item), names=[f"set/{name}"])


def _shown(name: str, item: Item) -> RenderableType:
    spec = (item.get("manifest") or {}).get("spec") or {}
    template = (spec.get("template") or {}).get("spec") or {}
    destination = template.get("destination") or {}
    return fields(
        [
            ("name", name),
            ("project", str(template.get("project") or "")),
            ("generators", _generators(item)),
            ("destination", str(destination.get("name") or destination.get("server") or "")),
            ("namespace", str(destination.get("namespace") or "")),
        ]
    )


@application_sets.command()
@click.argument("name")
@hub_option
@objects_option
def delete(name: str, state: Path | None, output: Format) -> None:
    """Delete application set NAME. No application goes with it."""

    async def gone(hub: Hub) -> Item:
        return await hub.registry("set.delete", name=name)

    answer = {**asking(state, gone), "name": name, "result": "deleted"}
    emit(answer, output, lambda: styled(f"set/{name} {answer['result']}", ""), names=[f"set/{name}"])
