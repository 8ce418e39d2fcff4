"""`outrider app tree`: an application's objects and what belongs to them, as its cluster has them, or had them last."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from outrider_cli import freshness
from outrider_cli.app import branches, history, last_known
from outrider_cli.app.names import kind_text, place_text, selector_text
from outrider_cli.app.options import name_argument
from outrider_cli.asking import asking
from outrider_cli.failure import note
from outrider_cli.output import Format, emit, objects_option, styled, table
from outrider_cli.state_folder import hub_option
from outrider_cli.terminal import visible_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rich.console import RenderableType
    from rich.text import Text

    from outrider_cli.hub import Hub


@click.command()
@name_argument
@click.option(
    "--orphaned", is_flag=True, help="Also objects in its namespaces that belong to no application."
)
@last_known.live_option
@hub_option
@objects_option
def tree(name: str, orphaned: bool, live: bool, state: Path | None, output: Format) -> None:
    """Draw the objects of application NAME and what belongs to them, with health, images and age.

    Its cluster is asked. Where it does not answer, what is known last is drawn, and said to be so.
    """

    async def asked(hub: Hub) -> dict[str, Any]:
        return await hub.registry("app.tree", name=name, live=live or None)

    answer, now = asking(state, asked), datetime.now().astimezone()
    nodes, strays = list(answer["nodes"]), list(answer.get("orphaned") or ()) if orphaned else []
    last_known.note_age(answer, now)
    _note_gaps(answer)
    emit(
        {**answer, "nodes": nodes, "orphaned": strays},
        output,
        lambda: as_table(answer, nodes, strays, now),
        wide=lambda: as_table(answer, nodes, strays, now, wide=True),
        names=(selector_text(one) for one in [*nodes, *strays]),
    )


def _note_gaps(answer: dict[str, Any]) -> None:
    """Say what the tree is without."""
    if answer.get("stale"):
        note(f"note: its own objects only, as they were seen last: {answer['stale']}")
    if answer.get("truncated"):
        note("note: there is more than fits an answer")
    for refused in answer.get("refused") or ():
        note(f"note: not looked at: {refused}")


def as_table(
    answer: dict[str, Any],
    nodes: Sequence[dict[str, Any]],
    strays: Sequence[dict[str, Any]],
    now: datetime,
    *,
    wide: bool = False,
) -> RenderableType:
    """Return the tree, and below it what belongs to nobody."""
    from rich.console import Group

    is_old = last_known.is_last_known(answer)
    titles = ["OBJECT", "HEALTH", "AGE", *(["UID"] if wide else ()), "IMAGES, MESSAGE"]
    parts: list[RenderableType] = [
        *last_known.heading(answer, now),
        table(titles, _rows(nodes, now, wide=wide, is_old=is_old)) if nodes else styled("No objects.", ""),
    ]
    if strays:
        titles = ["ORPHANED", *titles[1:]]
        parts += ["", table(titles, _rows(strays, now, wide=wide, is_old=is_old))]
    return Group(*parts)


def _rows(
    nodes: Sequence[dict[str, Any]], now: datetime, *, wide: bool, is_old: bool
) -> Iterator[list[str | Text]]:
    for stem, node in branches.lines(nodes):
        health = node.get("health") or {}
        yield [
            # Lines of a tree begin with blanks that count.
            _raw(stem + visible_line(f"{kind_text(node)} {place_text(node)}")),
            _health(str(health.get("status") or ""), is_old=is_old),
            _age(node.get("created_at"), now),
            *([str(node.get("uid") or "")] if wide else ()),
            "; ".join(_said(node)),
        ]


def _health(word: str, *, is_old: bool) -> Text:
    """Return a word in its colour; one that was so when it was last heard is never green."""
    return styled(word, freshness.STALE) if is_old else freshness.state(word)


def _raw(text: str) -> Text:
    from rich.text import Text

    return Text(text)


def _said(node: dict[str, Any]) -> Iterator[str]:
    images = [str(one) for one in node.get("images") or ()]
    if images:
        yield ", ".join(images)
    if node.get("sync") == "OutOfSync":
        yield "OutOfSync"
    for one in node.get("info") or ():
        yield f"{one.get('name')}: {one.get('value')}" if isinstance(one, dict) else str(one)
    if message := (node.get("health") or {}).get("message"):
        yield str(message)


def _age(created_at: Any, now: datetime) -> str:
    at_ms = created_at if isinstance(created_at, int) else history.moment(created_at)
    return freshness.span(now.timestamp() - at_ms / 1000) if at_ms else ""
