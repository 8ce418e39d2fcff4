"""What every process does alike: logging, signals, exit status.

SIGTERM and SIGINT cancel the main task once; what was opened closes by `async with`; the exit status is 0 only for an
asked-for stop.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any

import structlog


def configure_logging(level: str = "") -> None:
    """Log to standard error: JSON lines, or coloured text on a terminal. Level from OUTRIDER_LOG, INFO by default."""
    chosen = logging.getLevelNamesMapping().get(
        (level or os.environ.get("OUTRIDER_LOG", "info")).upper(), logging.INFO
    )
    # asyncio's TLS warns of every connection that the other side closes; nats-py logs what the bus reports itself.
    for noisy in ("asyncio", "nats"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    last: Any = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info if not sys.stderr.isatty() else _as_it_is,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(chosen),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _as_it_is(_logger: Any, _method: str, event: Any) -> Any:
    return event


def collect_rarely() -> None:
    """Have cycles looked for less often: in a process that keeps a fleet's state there is much to walk, and next to none are made."""
    gc.set_threshold(50_000, 20, 100)


def run(main: Coroutine[Any, Any, None]) -> int:
    """Run a process to its end; return its exit status."""
    try:
        asyncio.run(_until_asked(main))
    except asyncio.CancelledError:
        return 0
    except KeyboardInterrupt:
        return 0
    return 0


async def _until_asked(main: Coroutine[Any, Any, None]) -> None:
    task = asyncio.ensure_future(main)
    loop = asyncio.get_running_loop()
    asked = False

    def stop() -> None:
        nonlocal asked
        if not asked:
            asked = True
            task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not asked:
            raise
