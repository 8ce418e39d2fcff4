"""`outrider app resources`: an application's objects."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from outrider_cli.app import tables
from outrider_cli.app.names import selector_text
from outrider_cli.app.options import name_argument
from outrider_cli.app.seen import document_of, known, note_age, with_word
from outrider_cli.asking import asking
from outrider_cli.output import Format, emit, objects_option, styled
from outrider_cli.state_folder import hub_option

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType


@click.command()
@name_argument
@click.option("--out-of-sync", is_flag=True, help="Only those that differ from what is desired.")
@hub_option
@objects_option
def resources(name: str, out_of_sync: bool, state: Path | None, output: Format) -> None:
    """List the objects of application NAME, with sync status and health."""
    now = datetime.now().astimezone()
    item = asking(state, lambda hub: known(hub, name))
    found = [
        one
        for one in document_of(item).get("resources") or ()
        if not out_of_sync or one.get("status") == "OutOfSync"
    ]
    note_age(item, now)

    def as_table(*, wide: bool = False) -> RenderableType:
        return tables.resources(found, item, now, wide=wide) if found else styled("No objects.", "")

    emit(
        with_word(item, resources=found),
        output,
        as_table,
        wide=lambda: as_table(wide=True),
        names=(selector_text(one) for one in found),
    )
