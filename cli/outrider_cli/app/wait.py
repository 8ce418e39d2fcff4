"""`outrider app wait`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from outrider_cli.app import tables, waiting
from outrider_cli.app.options import name_argument, timeout_option
from outrider_cli.asking import asking
from outrider_cli.output import Format, emit, objects_option
from outrider_cli.state_folder import hub_option

if TYPE_CHECKING:
    from pathlib import Path

    from outrider_cli.hub import Hub


@click.command("wait")
@name_argument
@click.option("--healthy", is_flag=True, help="Until it is Healthy.")
@click.option("--synced", is_flag=True, help="Until it is Synced at the newest revision.")
@timeout_option
@hub_option
@objects_option
def wait_for(
    name: str, healthy: bool, synced: bool, timeout_s: float, state: Path | None, output: Format
) -> None:
    """Wait until application NAME is synced and healthy (or only one of the two).

    Only what its cluster has said lately counts. Exit status 1 when the time is over.
    """
    goal = waiting.Goal(synced=synced or not healthy, healthy=healthy or not synced)

    async def reached(hub: Hub) -> dict[str, Any]:
        await hub.registry("app.get", name=name)
        return await waiting.until(hub, name, goal, timeout_s)

    item = asking(state, reached)
    emit(item, output, lambda: tables.listed([item]), names=[f"application/{name}"])
