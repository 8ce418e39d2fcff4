"""`outrider settings`: what holds for the whole hub, written as Argo CD's ConfigMap argocd-cm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from outrider_cli.app.apply import carry_out
from outrider_cli.asking import asking
from outrider_cli.output import Format, emit, encoded, objects_option, output_option, styled
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
    """Show the settings as they were applied."""

    async def asked(hub: Hub) -> dict[str, Any]:
        return await hub.registry("settings.get")

    answer = asking(state, asked)
    emit(answer, output, lambda: _shown(answer))


def _shown(answer: dict[str, Any]) -> RenderableType:
    from rich.text import Text

    manifest = answer.get("manifest")
    if not manifest:
        return styled("No settings were applied: what comes with the agent holds.", "")
    # YAML that can't steer a terminal; its indentation counts.
    return Text(encoded(manifest, "yaml").rstrip("\n"))


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
