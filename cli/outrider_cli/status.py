"""`outrider status`: the fleet on one screen, once or for as long as one looks at it."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime
from typing import TYPE_CHECKING

import click

from outrider_cli import fleet
from outrider_cli.asking import asking
from outrider_cli.failure import Failed
from outrider_cli.output import Format, console, emit, output_option, show, styled
from outrider_cli.state_folder import hub_option

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from outrider_cli.hub import Hub

LOOK_EVERY_S = 1.0
ROWS_PIPED = 60
# Where no screen sets a bound; `--output json` has everything.
_AROUND = 10
# Lines that are no rows: counts, titles, the line of a prompt.


@click.command()
@click.option("-w", "--watch", is_flag=True, help="Go on showing it until interrupted.")
@hub_option
@output_option
def status(watch: bool, state: Path | None, output: Format) -> None:
    """Show the whole fleet: clusters with their presence, applications with sync, health and the age of the last word.

    What has not been heard of lately is shown with the time that it is from, never as if it were so now. On a terminal those in
    trouble come first, and as many as fit; --output json has all.
    """
    if not watch:
        asking(state, lambda hub: _once(hub, output))
        return
    with contextlib.suppress(KeyboardInterrupt):
        asking(state, lambda hub: _on_screen(hub) if output == "table" else _on_change(hub, output))


async def _once(hub: Hub, output: Format) -> None:
    if output == "table":
        show(await _screen(hub))
    else:
        emit((await fleet.whole(hub)).as_dict(), output, lambda: "")


async def _screen(hub: Hub) -> RenderableType:
    terminal = console()
    rows = max(3, terminal.height - _AROUND) if terminal.is_terminal else ROWS_PIPED
    return fleet.as_screen(await fleet.screenful(hub, rows), datetime.now().astimezone())


async def _on_screen(hub: Hub) -> None:
    from rich.console import Group
    from rich.live import Live

    shown: RenderableType = await _screen(hub)
    with Live(shown, console=console(), auto_refresh=False, transient=False) as live:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                shown = await _screen(hub)
                live.update(shown, refresh=True)
            except Failed as error:
                # What was seen last stays, said to be old.
                told = styled(f"no newer than before: {error.format_message()}", "yellow")
                live.update(Group(shown, told), refresh=True)


async def _on_change(hub: Hub, output: Format) -> None:
    before = None
    while True:
        found = (await fleet.whole(hub)).as_dict()
        if found != before:
            emit(found, output, lambda: "")
        before = found
        await asyncio.sleep(LOOK_EVERY_S)
