"""Ask for many things a few at a time; the answers come in the order of what was asked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from outrider_cli.failure import Refused, note

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

Input = TypeVar("Input")
Result = TypeVar("Result")

AT_A_TIME = 16


async def together(
    ask: Callable[[Input], Awaitable[Result]], inputs: Iterable[Input], at_a_time: int = AT_A_TIME
) -> list[Result]:
    """Return what `ask` makes of each input. The first that fails ends all."""
    slots = asyncio.Semaphore(at_a_time)

    async def one(given: Input) -> Result:
        async with slots:
            return await ask(given)

    async with asyncio.TaskGroup() as tasks:
        started = [tasks.create_task(one(given), name=f"ask {n}") for n, given in enumerate(inputs)]
    return [task.result() for task in started]


async def not_refused(ask: Callable[[Input], Awaitable[Result]], inputs: Iterable[Input]) -> list[Result]:
    """Return what `ask` makes of the inputs that are not refused, and note why the others are. Refused if all are."""

    async def one(given: Input) -> Result | Refused:
        try:
            return await ask(given)
        except Refused as error:
            return error

    answers = await together(one, inputs)
    refusals = [answer for answer in answers if isinstance(answer, Refused)]
    if refusals and len(refusals) == len(answers):
        raise refusals[0]
    for sentence in dict.fromkeys(refusal.format_message() for refusal in refusals):
        note(f"note: {sentence}")
    return [answer for answer in answers if not isinstance(answer, Refused)]
