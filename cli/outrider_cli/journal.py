"""`outrider journal`: what an edge did, told by itself, also of the time when nobody heard from it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from outrider_cli import completion, freshness, journal_words
from outrider_cli.asking import asking
from outrider_cli.cluster_names import checked_name
from outrider_cli.failure import note
from outrider_cli.output import Format, emit, output_option, styled, table
from outrider_cli.state_folder import hub_option

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType
    from rich.text import Text

    from outrider_cli.hub import Hub

PAGE = 500
LIMIT_MAX = 100_000


def _checked(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    return None if value is None else checked_name(context, parameter, value)


@click.command()
@click.argument("cluster", required=False, callback=_checked, shell_complete=completion.clusters)
@click.option(
    "--app", shell_complete=completion.applications,
    help="Only what happened to this application, and to its cluster as a whole.",
)  # fmt: skip
@click.option(
    "--limit", type=click.IntRange(1, LIMIT_MAX), default=100, show_default=True, metavar="N",
    help="How many of the newest entries.",
)  # fmt: skip
@hub_option
@output_option
def journal(cluster: str | None, app: str | None, limit: int, state: Path | None, output: Format) -> None:
    """Tell what happened on CLUSTER, the oldest first: syncs, drift, health, outages, starts of its agent.

    Without CLUSTER, on the one that the application of --app is destined for. Each agent keeps its journal on disk while the hub is
    away. When that is full, the oldest routine goes first; what went is counted in its place.
    """
    if cluster is None and app is None:
        raise click.UsageError("name a cluster, or an application with --app")
    found = asking(state, lambda hub: told(hub, cluster, app, limit))
    now = datetime.now().astimezone()
    if not freshness.is_fresh(found):
        note(f"note: {_age(found, now)}")
    emit(found, output, lambda: as_table(found, now))


async def told(hub: Hub, cluster: str | None, app: str | None, limit: int) -> dict[str, Any]:
    """Return the newest entries, oldest first, with how far the answer may be trusted."""
    where = cluster or str((await hub.status("app", name=app))["cluster"])
    items: list[dict[str, Any]] = []
    before: Any = None
    while True:
        asked = min(PAGE, limit - len(items))
        page = await hub.status("journal", cluster=where, name=app, before=before, limit=asked)
        items = [*page["items"], *items]
        before = page.get("previous")
        if before is None or len(items) >= limit:
            return {**page, "items": items, "previous": before}


def as_table(found: dict[str, Any], now: datetime) -> RenderableType:
    """Return a line an entry, under how old the last word is."""
    from rich.console import Group

    items = found["items"]
    lines: list[list[str | Text]] = [
        [journal_words.clock(one.get("at_ms"), now), link, str(one.get("app") or "-"), what]
        for one, (link, what) in zip(items, journal_words.lines(items, now), strict=True)
    ]
    return Group(
        styled(_age(found, now), "" if freshness.is_fresh(found) else freshness.STALE),
        "",
        table(["WHEN", "LINK", "APPLICATION", "WHAT"], lines)
        if lines
        else styled("Nothing was told yet.", ""),
        *([styled("… and older ones: --limit", freshness.PALE)] if found.get("previous") else []),
    )


def _age(found: dict[str, Any], now: datetime) -> str:
    """Return how far the journal reaches."""
    last = freshness.last_word(found, now).plain
    if freshness.is_fresh(found):
        return f"cluster {found.get('cluster')}: last word {last}"
    if not freshness.is_heard(found):
        return f"cluster {found.get('cluster')}: {last}"
    reaches = f"as of {freshness.as_of(found, now)}, {last}"
    return f"cluster {found.get('cluster')}: {reaches}; what happened since, it tells when it is back"
