"""Child processes that speak in lines of JSON: fed with names, started together, asked for what they measured."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any


class Feeder:
    """One process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def said(self) -> dict[str, Any]:
        """Return the next thing that it says."""
        assert self._process.stdout is not None  # noqa: S101 - it was started with pipes
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a feeder ended with status {await self._process.wait()}")
        found: dict[str, Any] = json.loads(line)
        return found

    async def go(self) -> None:
        """Let it go on."""
        assert self._process.stdin is not None  # noqa: S101 - it was started with pipes
        self._process.stdin.write(b"\n")
        await self._process.stdin.drain()


@asynccontextmanager
async def feeding(module: str, each: list[list[str]]) -> AsyncIterator[list[Feeder]]:
    """Run `python -m module` once for each list of arguments; killed at the end of the block."""
    async with AsyncExitStack() as stack:
        feeders = []
        for arguments in each:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", module, *arguments,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            stack.push_async_callback(_end, process)
            feeders.append(Feeder(process))
        yield feeders


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()
