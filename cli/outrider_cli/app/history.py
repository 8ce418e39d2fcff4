"""`outrider app history`: what was deployed, when and by whom."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from outrider_cli import freshness
from outrider_cli.app import operation
from outrider_cli.app.options import name_argument
from outrider_cli.app.seen import document_of, known, note_age, with_word
from outrider_cli.asking import asking
from outrider_cli.output import Format, emit, objects_option, styled, table
from outrider_cli.state_folder import hub_option

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType


@click.command()
@name_argument
@hub_option
@objects_option
def history(name: str, state: Path | None, output: Format) -> None:
    """List what application NAME had deployed, the newest last. `app rollback NAME ID` goes back to one."""
    now = datetime.now().astimezone()
    item = asking(state, lambda hub: known(hub, name))
    found = entries(item)
    note_age(item, now)
    emit(
        with_word(item, history=found),
        output,
        lambda: as_table(found, now),
        wide=lambda: as_table(found, now, wide=True),
        names=(str(one["id"]) for one in found),
    )


def entries(item: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the history of an application, the newest last."""
    return list(document_of(item).get("history") or ())


def as_table(found: list[dict[str, Any]], now: datetime, *, wide: bool = False) -> RenderableType:
    """Return a line an entry."""
    if not found:
        return styled("Nothing was deployed yet.", "")
    titles = ["ID", "REVISION", "DEPLOYED", "BY", *(["TOOK", "BUNDLE"] if wide else ())]
    return table(titles, ([*_line(one, now, wide=wide), *(_more(one) if wide else ())] for one in found))


def _line(entry: dict[str, Any], now: datetime, *, wide: bool) -> list[str]:
    deployed, revision = moment(entry.get("deployedAt")), str(entry.get("revision") or "-")
    return [
        str(entry["id"]),
        revision if wide else freshness.short_revision(revision),
        f"{freshness.clock(deployed, now)}, {freshness.ago(deployed, now)}" if deployed else "-",
        operation.asked_by(entry),
    ]


def _more(entry: dict[str, Any]) -> list[str]:
    begin, end = moment(entry.get("deployStartedAt")), moment(entry.get("deployedAt"))
    return [freshness.span((end - begin) / 1000) if begin and end else "", str(entry.get("digest") or "")]


def moment(text: Any) -> int:
    """Return a time in RFC 3339 as milliseconds; 0 if it is none."""
    try:
        return round(datetime.fromisoformat(str(text)).timestamp() * 1000)
    except ValueError:
        return 0
