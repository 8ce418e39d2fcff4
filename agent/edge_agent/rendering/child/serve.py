"""Answer the agent: each request in a task of its own, until the input ends."""

import asyncio
import contextlib
import os
import traceback
from typing import Any

import structlog

from edge_agent.rendering.child.settings import CHARTS_MAX_BYTES, KEEPS_FREE_BYTES, Settings
from edge_agent.rendering.child.work import Refused, Work
from edge_agent.rendering.frames import READY, REQUEST_MAX_BYTES, encode, receive
from outrider.rendering.charts import ChartStore
from outrider.rendering.checkouts import Checkouts
from outrider.rendering.git.store import GitStore
from outrider.rendering.pool import RenderPool
from outrider.version import VERSION

log = structlog.get_logger()


async def serve(settings: Settings, requests: int, answers: int) -> None:
    """Serve one agent over two pipes. Returns when it closes its end. BrokenFrame: it says what can't be understood."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(requests, "rb"))
    transport, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, os.fdopen(answers, "wb")
    )
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    policy = settings.policy
    async with (
        RenderPool(settings.rendering) as pool,
        GitStore(settings.root, policy=policy, keeps_free_bytes=KEEPS_FREE_BYTES) as git,
        ChartStore(
            settings.root / "charts", pool.chart_versions, policy=policy, cache_max_bytes=CHARTS_MAX_BYTES
        ) as charts,
    ):
        work = Work(Checkouts(git, charts), pool)
        await _answer(writer, READY, {"version": VERSION}, None)
        async with asyncio.TaskGroup() as tasks:
            handling: set[asyncio.Task[None]] = set()
            while (request := await receive(reader, REQUEST_MAX_BYTES)) is not None:
                number, verb, arguments = request
                handled = _handle(work, writer, number, str(verb), arguments)
                task = tasks.create_task(handled, name=f"{verb} {number}")
                handling.add(task)
                task.add_done_callback(handling.discard)
            # Nobody hears the answers any more.
            for task in handling:
                task.cancel()


async def _handle(work: Work, writer: asyncio.StreamWriter, number: int, verb: str, arguments: Any) -> None:
    try:
        value, error = await work.do(verb, arguments), None
    except Refused as refused:
        value, error = None, str(refused)
    except OSError as failure:
        log.warning("disk or system call failed", verb=verb, error=str(failure))
        value, error = None, f"the renderer's disk: {failure.strerror or type(failure).__name__}"
    except Exception as failure:  # noqa: BLE001 a loop's boundary: one source's surprise is not the next one's
        # Where, and not what it says: credentials may be part of that.
        trace = "".join(traceback.format_tb(failure.__traceback__))
        log.error("request failed", verb=verb, error=type(failure).__name__, trace=trace)  # noqa: TRY400
        value, error = None, f"the renderer failed ({type(failure).__name__}); this is a fault of its own"
    await _answer(writer, number, value, error)


async def _answer(writer: asyncio.StreamWriter, number: int, value: Any, error: str | None) -> None:
    with contextlib.suppress(ConnectionError):
        # The agent is gone, and this process with it.
        writer.write(encode([number, value, error]))
        await writer.drain()
