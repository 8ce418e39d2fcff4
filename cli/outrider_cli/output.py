"""The forms of an answer: tables for people, JSON and YAML for programs, names for scripts. Standard output carries nothing else.

Programs get every field that the hub gave, people get what fits a line. `name` is one `kind/name` a line, as kubectl prints it.
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

Format = Literal["table", "json", "yaml", "wide", "name"]
AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])

WIDE_COLUMNS = 100_000
# Where no terminal sets a width, nothing is cut: the reader is a program.


def output_option(function: AnyFunction) -> AnyFunction:
    """Add `--output` to a command; it arrives as `output`: table, json or yaml."""
    return _output_option(["table", "json", "yaml"])(function)


def objects_option(function: AnyFunction) -> AnyFunction:
    """Add `--output` to a command that prints objects: it has the forms wide and name as well."""
    return _output_option(["table", "wide", "name", "json", "yaml"])(function)


def _output_option(forms: list[str]) -> Callable[[AnyFunction], AnyFunction]:
    return click.option(
        "-o",
        "--output",
        type=click.Choice(forms),
        default="table",
        show_default=True,
        help="How to print the result.",
    )


def emit(
    value: Any,
    output: Format,
    as_table: Callable[[], RenderableType],
    *,
    wide: Callable[[], RenderableType] | None = None,
    names: Iterable[str] = (),
) -> None:
    """Print a result: `value` for programs, what `as_table` or `wide` makes of it for people, or its `names`."""
    if output == "json" or output == "yaml":
        sys.stdout.write(encoded(value, output))
    elif output == "name":
        sys.stdout.writelines(f"{visible_line(name)}\n" for name in names)
    else:
        show(wide() if wide is not None and output == "wide" else as_table())
    sys.stdout.flush()


def is_for_people(output: Format) -> bool:
    """Say whether a form is a table."""
    return output in ("table", "wide")


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


def ordered(value: Any) -> Any:
    """Return a value with its maps in the order of their keys: equal values read alike, and differ only where they do."""
    if isinstance(value, dict):
        return {key: ordered(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list | tuple):
        return [ordered(one) for one in value]
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
