import asyncio

import pytest

from outrider.bus.model import Outgoing
from outrider.bus.nats_client import framed, heeding


async def swallowing() -> str:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return "done"
    return ""


async def test_a_task_that_is_cancelled_ends_even_if_what_it_awaits_swallows_that() -> None:
    task = asyncio.create_task(heeding(swallowing()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


async def test_who_cleans_up_after_a_cancellation_may_still_send() -> None:
    async def cleaning_up() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return await heeding(asyncio.sleep(0, "sent"))
        return ""

    task = asyncio.create_task(cleaning_up())
    await asyncio.sleep(0)
    task.cancel()
    assert await task == "sent"


def test_a_message_is_framed_with_its_headers_and_sizes() -> None:
    assert framed(Outgoing("a.b", b"data", {"One": "1", "Two": "2"})) == (
        b"HPUB a.b 28 32\r\nNATS/1.0\r\nOne: 1\r\nTwo: 2\r\n\r\ndata\r\n"
    )


@pytest.mark.parametrize("value", ["1\r\nTwo: 2", "1\n", "\r\n\r\nPUB b 0\r\n"])
def test_a_header_cannot_carry_another(value: str) -> None:
    with pytest.raises(ValueError, match="more than one line"):
        framed(Outgoing("a.b", b"", {"One": value}))
