"""Keep processes running: the services of a hub as children, and its NATS server.

A child that ends is started again after a delay with full jitter, which grows while it keeps ending soon. A child that says
that a setting is wrong (exit status 2) would say so for ever: that ends the hub. On the way out a child is asked to stop, then
made to. What it writes goes to the hub's log, line by line.
"""

import asyncio
import contextlib
import os
import random
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from outrider.backoff import Backoff
from outrider.bus.embedded import EmbeddedSettings, NatsServerFailed, running
from outrider_cli.failure import Failed

STOPS_WITHIN_S = 15.0
SETTLED_AFTER_S = 30.0
# A child that has run this long has begun well: its next end is a first one.
LINE_MAX_BYTES = 16 * 1024
WRONG_SETTING = 2

Say = Callable[[str, str], None]
# source and line


@dataclass(frozen=True)
class Child:
    """A service: `python -m module`, in the environment of this process and what is added to it."""

    name: str
    module: str
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Restarts:
    """How long to wait before the next start."""

    backoff: Backoff
    rng: random.Random
    _failures: int = 0

    def delay_s(self, ran_s: float) -> float:
        """Return the delay after a run of this length."""
        self._failures = 0 if ran_s >= SETTLED_AFTER_S else self._failures
        delay_s = self.backoff.delay_s(self._failures, self.rng)
        self._failures += 1
        return delay_s


async def keep_running(child: Child, say: Say, restarts: Restarts) -> None:
    """Run a child for ever. Ends by cancellation, once the child has stopped; Failed if one of its settings is wrong."""
    loop = asyncio.get_running_loop()
    while True:
        began = loop.time()
        async with _started(child) as process:
            last_words = await _relay(process, child.name, say)
            status = await process.wait()
        if status == WRONG_SETTING:
            raise Failed(f"{child.name} can't start: {last_words or 'a setting is wrong'}")
        delay_s = restarts.delay_s(loop.time() - began)
        say(child.name, f"ended {_how(status)}; starting it again in {delay_s:.1f} s")
        await asyncio.sleep(delay_s)


def _how(status: int) -> str:
    return f"by signal {-status}" if status < 0 else f"with status {status}"


@asynccontextmanager
async def _started(child: Child) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "outrider_cli.child", child.module, str(os.getpid()),
        env={**os.environ, **child.environment},
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        # An interrupt from the terminal is for the hub, which stops its children in order.
        start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        await _stop(process)


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOPS_WITHIN_S):
            # Nobody reads its output any more: what it says at the end must not block it.
            await process.communicate()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _relay(process: asyncio.subprocess.Process, name: str, say: Say) -> str:
    """Hand on the child's lines until it closes its output; return the last. A line beyond the bound comes in parts."""
    if process.stdout is None:
        raise TypeError("the child was started without a pipe")
    rest, last = b"", ""
    while chunk := await process.stdout.read(LINE_MAX_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > LINE_MAX_BYTES:
            lines, rest = [*lines, rest], b""
        for line in lines:
            last = line.decode(errors="replace")
            say(name, last)
    if rest:
        last = rest.decode(errors="replace")
        say(name, last)
    return last


async def keep_serving(
    settings: EmbeddedSettings, started: "asyncio.Future[int]", say: Say, restarts: Restarts
) -> None:
    """Run the NATS server for ever, always on the port of its first start, which `started` receives.

    Failing to start the first time is the answer to `started`; later it is said and tried again.
    """
    loop = asyncio.get_running_loop()
    while True:
        began = loop.time()
        try:
            async with running(settings) as server:
                settings = replace(settings, port=server.port, websocket_port=server.websocket_port)
                if not started.done():
                    started.set_result(server.port)
                await server.wait()
        except NatsServerFailed as error:
            if not started.done():
                started.set_exception(error)
                return
            delay_s = restarts.delay_s(loop.time() - began)
            say("nats-server", f"{error}; starting it again in {delay_s:.1f} s")
        await asyncio.sleep(delay_s)
