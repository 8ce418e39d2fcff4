"""How it goes on, on standard error: a line that changes on a terminal; where that is none, a line a change, or nothing."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from outrider_cli.failure import note
from outrider_cli.terminal import visible_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

MANY = 20
# From how many objects on a count is shown.


@asynccontextmanager
async def telling() -> AsyncIterator[Callable[[str], None]]:
    """Give what to call with each state of things, in words."""
    from outrider_cli.output import console

    terminal = console(stderr=True)
    if terminal.is_terminal:
        with terminal.status("asking") as line:
            yield lambda text: line.update(visible_line(text))
        return
    told = ""

    def tell(text: str) -> None:
        nonlocal told
        if text != told:
            told = text
            note(text)

    yield tell


@contextmanager
def counting(done: str, total: int) -> Iterator[Callable[[], None]]:
    """Give what to call with each object that is `done`. Shown on a terminal only, and for many."""
    from outrider_cli.output import console

    count = 0
    terminal = console(stderr=True) if total >= MANY else None
    if terminal is None or not terminal.is_terminal:
        yield lambda: None
        return
    with terminal.status(f"{done} 0 of {total}") as line:

        def one_more() -> None:
            nonlocal count
            count += 1
            line.update(f"{done} {count} of {total}")

        yield one_more
