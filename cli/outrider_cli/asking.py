"""Run one command against the hub: connect, ask, disconnect."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from outrider_cli.finding import find

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from outrider_cli.hub import Hub

Result = TypeVar("Result")


def asking(state: Path | None, command: Callable[[Hub], Awaitable[Result]]) -> Result:
    """Return what `command` makes of the hub that is meant; Failed if there is none."""
    place = find(state)
    # These take most of a command's start-up time: `--help` and wrong usage do without.
    import asyncio

    from outrider_cli.hub import opened

    async def connected_run() -> Result:
        async with opened(place) as hub:
            return await command(hub)

    return asyncio.run(connected_run())
