"""The three forms of an answer: a table for people, JSON and YAML for programs. Standard output carries nothing else.

Programs get every field that the hub gave, people get what fits a line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from outrider_cli.terminal import json_safe, visible_line

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

Format = Literal["table", "json", "yaml"]
AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])

WIDE_COLUMNS = 100_000
# Where no terminal sets a width, nothing is cut: the reader is a program.


def output_option(function: AnyFunction) -> AnyFunction:
    """Add `--output` to a command; it arrives as `output`."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json", "yaml"]),
        default="table",
        show_default=True,
        help="How to print the result.",
    )(function)


def emit(value: Any, output: Format, as_table: Callable[[], RenderableType]) -> None:
    """Print a result: `value` for programs, or what `as_table` makes of it for people."""
    if output == "table":
        show(as_table())
    else:
        sys.stdout.write(encoded(value, output))
        sys.stdout.flush()


def show(shown: RenderableType) -> None:
    """Print for people. Where nobody but a program reads, lines end with their text."""
    printer = console()
    if printer.is_terminal:
        printer.print(shown)
        return
    with printer.capture() as captured:
        printer.print(shown)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
    sys.stdout.flush()


def encoded(value: Any, output: Literal["json", "yaml"]) -> str:
    """Return a value as JSON or YAML, ending in a newline."""
    if output == "json":
        return json_safe(json.dumps(plain(value), indent=2, ensure_ascii=False)) + "\n"
    from outrider_cli import yaml_text

    return yaml_text.dump(plain(value))


def plain(value: Any) -> Any:
    """Return a value in JSON's types; bytes (digests, ids) become hexadecimal."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, bytes):
        return value.hex()
    return value


def console(*, stderr: bool = False) -> Console:
    """Return a console that prints text as it is: no markup, no guessing at what to colour."""
    from rich.console import Console

    made = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    return (
        made
        if made.is_terminal
        else Console(stderr=stderr, markup=False, highlight=False, emoji=False, width=WIDE_COLUMNS)
    )


def table(
    titles: Sequence[str], rows: Iterable[Sequence[str | Text]], *, cut_last: bool = False
) -> RenderableType:
    """Return a table without lines. Cells are made fit for a terminal here; a Text brings its own style.

    `cut_last`: on a screen that is too narrow the last column is cut, so that each row stays one line.
    """
    from rich.table import Table

    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for title in titles:
        cut = cut_last and title == titles[-1]
        made.add_column(title, overflow="ellipsis" if cut else "fold", no_wrap=cut)
    for row in rows:
        made.add_row(*(_cell(one) for one in row))
    return made


def _cell(cell: str | Text) -> Text:
    from rich.text import Text

    if isinstance(cell, Text):
        return cell
    return Text(visible_line(cell))


def styled(text: str, style: str) -> Text:
    """Return a cell in a colour."""
    from rich.text import Text

    return Text(visible_line(text), style=style)


def fields(pairs: Iterable[tuple[str, str | Text]]) -> RenderableType:
    """Return names and values below one another; pairs without a value are left out."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    made.add_column(style="bold")
    made.add_column(overflow="fold")
    for name, value in pairs:
        if value:
            made.add_row(name, _cell(value))
    return made
