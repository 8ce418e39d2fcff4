"""`outrider app list` and `outrider app get`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from outrider import subjects
from outrider_cli import freshness
from outrider_cli.app import tables
from outrider_cli.app.options import name_argument
from outrider_cli.app.seen import seen
from outrider_cli.asking import asking
from outrider_cli.failure import Failed, note
from outrider_cli.output import Format, emit, objects_option
from outrider_cli.state_folder import hub_option

if TYPE_CHECKING:
    from pathlib import Path

    from outrider_cli.hub import Hub

HEALTH = ["Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown"]
SYNC = ["Synced", "OutOfSync", "Unknown"]
FRESHNESS = ["fresh", "stale", "offline", "unknown"]


@click.command("list")
@click.option("--cluster", help="Only those destined for this cluster.")
@click.option(
    "--health", type=click.Choice(HEALTH, case_sensitive=False), help="Only those with this health."
)
@click.option(
    "--sync", type=click.Choice(SYNC, case_sensitive=False), help="Only those with this sync status."
)
@click.option(
    "--freshness",
    type=click.Choice(FRESHNESS, case_sensitive=False),
    help="Only those of which what is known is so old; --health and --sync are then by what was heard last.",
)
@click.option("-p", "--project", help="Only those of this project.")
@hub_option
@objects_option
def list_applications(state: Path | None, output: Format, project: str | None, **wanted: str | None) -> None:
    """List applications, with what is known of them and how old that is.

    --health and --sync choose by what is so: an application of a cluster that is away is Unknown, whatever it was.
    """

    async def everything(hub: Hub) -> list[dict[str, Any]]:
        pages = hub.pages(subjects.status_query("apps"), **wanted)
        return [item async for item in pages if project in (None, item.get("project") or "default")]

    items = asking(state, everything)
    emit(
        items,
        output,
        lambda: tables.listed(items),
        wide=lambda: tables.listed(items, wide=True),
        names=(f"application/{item['name']}" for item in items),
    )


@click.command()
@name_argument
@hub_option
@objects_option
def get(name: str, state: Path | None, output: Format) -> None:
    """Show application NAME: what it should be, what it is, and each of its objects."""

    async def both(hub: Hub) -> dict[str, Any]:
        known = await hub.registry("app.get", name=name)
        try:
            status = await seen(hub, name)
        except Failed as error:
            note(f"its status is not known: {error.format_message()}")
            status = dict(freshness.NEVER_KNOWN)
        return {**known, "status": status}

    item = asking(state, both)
    emit(item, output, lambda: tables.shown(item), names=[f"application/{name}"])
