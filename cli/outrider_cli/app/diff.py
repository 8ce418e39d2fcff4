"""`outrider app diff`: how what is on the cluster differs from what is desired. Secrets' values are masked at the edge."""

from __future__ import annotations

import difflib
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from outrider_cli.app import last_known
from outrider_cli.app.names import kind_text, place_text, selector_text
from outrider_cli.app.options import RESOURCE_FORM, name_argument, selector
from outrider_cli.asking import asking
from outrider_cli.failure import Reported, note
from outrider_cli.output import Format, emit, encoded, objects_option, ordered, styled
from outrider_cli.state_folder import hub_option
from outrider_cli.terminal import visible

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import RenderableType
    from rich.text import Text

    from outrider_cli.hub import Hub

_STYLES = {"+": "green", "-": "red", "@": "cyan"}
_STATES = {"added": "is missing on the cluster", "removed": "is not in Git", "modified": "differs"}


@click.command()
@name_argument
@click.option(
    "--resource",
    callback=selector,
    metavar=RESOURCE_FORM,
    help="Only this object, as apps:Deployment:shop/web.",
)
@click.option("--fields", is_flag=True, help="List the fields that differ instead of lines.")
@click.option(
    "--exit-code/--no-exit-code",
    default=True,
    help="Whether differences make the exit status 1. [default: yes]",
)
@last_known.live_option
@hub_option
@objects_option
def diff(
    name: str,
    resource: dict[str, str] | None,
    fields: bool,
    exit_code: bool,
    live: bool,
    state: Path | None,
    output: Format,
) -> None:
    """Show how application NAME on its cluster (-) differs from what is desired (+).

    What is ignored by the application's ignoreDifferences is left out. Exit status 1 if there are differences. Its cluster is
    asked; where it does not answer, what is known last is shown, and said to be so.
    """

    async def asked(hub: Hub) -> dict[str, Any]:
        return await hub.registry("app.diff", name=name, resource=resource, live=live or None)

    answer, now = asking(state, asked), datetime.now().astimezone()
    found = list(answer["resources"])
    last_known.note_age(answer, now)
    if answer.get("truncated"):
        note("note: there is more than fits an answer; --resource shows one object")
    draw = as_fields if fields else as_lines
    emit(
        answer, output, lambda: _drawn(answer, draw(found), now), names=(selector_text(one) for one in found)
    )
    if found and exit_code:
        raise Reported


def _drawn(answer: dict[str, Any], drawn: RenderableType, now: datetime) -> RenderableType:
    from rich.console import Group

    return Group(*last_known.heading(answer, now), drawn)


def as_lines(found: list[dict[str, Any]]) -> RenderableType:
    """Return each object's difference in lines of YAML, unified."""
    from rich.text import Text

    if not found:
        return styled("No differences.", "")
    return Text("\n").join(Text("\n").join(_lines(one)) for one in found)


def _lines(resource: dict[str, Any]) -> Iterator[Text]:
    if not resource.get("live") and not resource.get("desired"):
        # Too large for the answer, or looked at while the Kubernetes API was away: the fields are known.
        yield from _fields(resource)
        return
    yield _title(resource)
    if resource.get("state") == "modified" and not resource.get("live"):
        # Nobody knows what is there: what is desired is no addition to it.
        yield from (_line(f"  {line}") for line in _yaml(resource.get("desired")))
        return
    live, desired = (_yaml(resource.get(side)) for side in ("live", "desired"))
    # The first two lines of a unified diff name files, which these are not.
    for line in list(difflib.unified_diff(live, desired, lineterm=""))[2:]:
        yield _line(line)


def _title(resource: dict[str, Any]) -> Text:
    state = str(resource.get("state") or "modified")
    message = f": {resource['message']}" if resource.get("message") else ""
    if resource.get("live_as_of"):
        message += f" (values as of {resource['live_as_of']})"
    what = f"{kind_text(resource)} {place_text(resource)} {_STATES.get(state, state)}{message}"
    return styled(f"=== {what} ===", "bold")


def _yaml(value: Any) -> list[str]:
    return encoded(ordered(value), "yaml").splitlines() if value else []


def _line(text: str) -> Text:
    from rich.text import Text

    return Text(visible(text), style=_STYLES.get(text[:1], ""))


def as_fields(found: list[dict[str, Any]]) -> RenderableType:
    """Return each object's fields that differ."""
    from rich.text import Text

    if not found:
        return styled("No differences.", "")
    return Text("\n").join(Text("\n").join(_fields(one)) for one in found)


def _fields(resource: dict[str, Any]) -> Iterator[Text]:
    yield _title(resource)
    for change in resource.get("changes") or ():
        yield _line(f"  {_change(change)}")


def _change(change: Any) -> str:
    if not isinstance(change, dict):
        return str(change)
    path = str(change.get("path") or "")
    sides = [
        f"{side} {encoded(change[side], 'json').strip()}" for side in ("live", "desired") if side in change
    ]
    return f"{path}: {', '.join(sides)}" if sides else path
