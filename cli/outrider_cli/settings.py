"""`outrider settings`: what holds for the whole hub, written as Argo CD's ConfigMap argocd-cm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from outrider_cli.app.apply import carry_out
from outrider_cli.asking import asking
from outrider_cli.output import Format, emit, fields, objects_option, output_option, styled, table
from outrider_cli.state_folder import hub_option

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from outrider_cli.hub import Hub


@click.group()
def settings() -> None:
    """Look at and change what holds for the whole hub.

    Settings are Argo CD's ConfigMap argocd-cm: health checks and actions in Lua, differences to ignore.
    """


@settings.command()
@hub_option
@output_option
def get(state: Path | None, output: Format) -> None:
    """Show the settings. `-o yaml` prints the scripts too."""

    async def asked(hub: Hub) -> dict[str, Any]:
        return await hub.registry("settings.get")

    answer = asking(state, asked)
    emit(answer, output, lambda: _shown(answer))


_PARTS = {"health": "health check", "actions": "actions", "ignoreDifferences": "ignored differences"}


def _shown(answer: dict[str, Any]) -> RenderableType:
    held = answer.get("customisations") or {}
    rows = [
        [kind, what, _told(part, said)]
        for part, what in _PARTS.items()
        for kind, said in sorted((held.get(part) or {}).items())
    ]
    zone = answer.get("time_zone")
    head = fields([("time zone", str(zone) if zone else "of each agent, else UTC")])
    if not rows:
        return head
    from rich.console import Group

    return Group(head, "", table(["KIND", "SETTING", "WHAT"], rows))


def _told(part: str, said: Any) -> str:
    """Return a setting in a line; `-o yaml` has all of it."""
    if not isinstance(said, dict):
        return ""
    if part == "health":
        return f"{len(str(said.get('lua') or '').splitlines())} lines of Lua"
    if part == "actions":
        return ", ".join(
            str(one.get("name")) for one in said.get("definitions") or () if isinstance(one, dict)
        )
    return ", ".join(str(one) for names in said.values() if isinstance(names, list) for one in names)


@settings.command()
@click.option(
    "-f", "--file", "files", multiple=True, required=True, metavar="FILE|DIR|-",
    help="The ConfigMap argocd-cm as YAML or JSON; what else a file holds is left out; may be repeated.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Have the hub check them, and change nothing.")
@hub_option
@objects_option
def apply(files: tuple[str, ...], dry_run: bool, state: Path | None, output: Format) -> None:
    """Apply the settings. What the ConfigMap does not say is as if it had never been said."""
    from outrider_cli.documents import read_all
    from outrider_cli.failure import Failed
    from outrider_cli.kinds import SETTINGS, choose, kind_of

    chosen = choose(read_all(files), ignore_others=True)
    wanted = [one for one in chosen.taken if kind_of(one.manifest or {}) is SETTINGS]
    if not wanted and not chosen.refused:
        raise Failed("no ConfigMap argocd-cm in what was given")
    carry_out(chosen._replace(taken=wanted, others=[]), state, output, dry_run=dry_run)


@settings.command("set")
@click.option(
    "--time-zone",
    required=True,
    metavar="ZONE",
    help="In which sync windows are read, as Europe/Berlin, on clusters that have none of their own; '' for none.",
)
@hub_option
@output_option
def set_(time_zone: str, state: Path | None, output: Format) -> None:
    """Change single settings."""
    _changed(state, output, "settings.set", time_zone=time_zone)


@settings.command()
@hub_option
@output_option
def delete(state: Path | None, output: Format) -> None:
    """Take all settings back: what comes with the agents holds again."""
    _changed(state, output, "settings.delete")


def _changed(state: Path | None, output: Format, verb: str, **given: Any) -> None:
    async def asked(hub: Hub) -> dict[str, Any]:
        return await hub.registry(verb, **given)

    answer = asking(state, asked)
    emit(answer, output, lambda: styled(f"settings {answer['result']}", ""))
