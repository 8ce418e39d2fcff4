"""`outrider set`: application sets, which describe many applications at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from outrider import subjects
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
    rows = [[str(item["name"]), str(item.get("project") or ""), _generators(item)] for item in items]
    return table(["NAME", "PROJECT", "GENERATORS"], rows)


def _generators(item: Item) -> str:
    """Return what kinds of generators a set has, from a list's item or from its manifest."""
    found = item.get("generators")
    if not isinstance(found, list):
        found = ((item.get("manifest") or {}).get("spec") or {}).get("generators") or ()
    kinds = [
        one if isinstance(one, str) else next((key for key in one if key != "selector"), "") for one in found
    ]
    return ", ".join(str(kind) for kind in kinds)


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
    """Delete application set NAME."""

    async def gone(hub: Hub) -> Item:
        return await hub.registry("set.delete", name=name)

    answer = {"name": name, "result": "deleted", **asking(state, gone)}
    emit(answer, output, lambda: styled(f"set/{name} {answer['result']}", ""), names=[f"set/{name}"])
