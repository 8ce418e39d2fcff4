"""One worker process, as the pool sees it."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, TypeVar

from outrider.rendering.errors import RenderError
from outrider.rendering.layers import Layer, Protection
from outrider.rendering.settings import RenderSettings
from outrider.rendering.worker import frames
from outrider.rendering.worker.roles import Role

JOB_FOLDER = "job"
_STDERR_KEPT_BYTES = 8192
_CPU_LIMIT_S = 3600
# Of a worker's whole life; it is replaced long before, by the time that it has used.
_CPU_REPLACED_AT_S = _CPU_LIMIT_S // 2
_WRITTEN_FILE_BYTES = 4 * 1024 * 1024
# A worker writes one kind of file: a kustomization with the Application's options in it.
_FRAME_EXTRA_BYTES = 1024
_LAST_WORDS_TIMEOUT_S = 1.0
_NO_MEMORY = (
    "out of memory",
    "annot allocate",
    "MemoryError",
    "pthread_create failed",
    "failed to reserve",
    "cannot map",
)
# How Python and Go say that the limit on memory was reached.
_PACKAGE_ROOT = Path(__file__).parents[2]
_START = "import sys; sys.path.append({root!r}); from outrider.rendering.worker.main import main; main(*sys.argv[1:])"
# The worker's Python takes nothing from the environment, where the path to this package may stand.
_GO_MEMORY_SHARE = 0.75
# Go's runtime collects harder as it nears this share of the memory that it may have.


T = TypeVar("T")


def _piped(stream: T | None) -> T:
    if stream is None:
        raise RuntimeError("the worker was started without pipes")
    return stream


class WorkerLost(Exception):
    """The worker ended in the middle of a rendering; `reason` is for the person whose source it was."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class WorkerProcess:
    """A running worker. `start` makes one; `kill` ends it and all that it started."""

    def __init__(self, process: asyncio.subprocess.Process, settings: RenderSettings) -> None:
        self._process, self._settings = process, settings
        self._stdin, self._stdout = _piped(process.stdin), _piped(process.stdout)
        self._stderr = bytearray()
        self._complaints: asyncio.Task[None] | None = None
        self._renderings = 0
        self._cpu_s = 0.0
        self.peak_memory_bytes = 0
        self.protection = Protection(frozenset(), {})

    @classmethod
    async def start(
        cls, role: Role, slot: Path, settings: RenderSettings, kubectl: Path, tasks: asyncio.TaskGroup
    ) -> "WorkerProcess":
        """Start a worker and wait until it has locked itself in; RenderError if it does not come up in time."""
        limits = {
            "memory_bytes": settings.memory_bytes,
            "cpu_s": _CPU_LIMIT_S,
            "written_file_bytes": _WRITTEN_FILE_BYTES,
            "output_bytes": settings.max_output_bytes,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-X",
            "utf8",
            "-c",
            _START.format(root=str(_PACKAGE_ROOT)),
            str(slot),
            role,
            json.dumps(limits),
            str(kubectl),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=slot,
            env={
                "GOMAXPROCS": "2",
                "GOTRACEBACK": "none",
                "GOMEMLIMIT": str(int(settings.memory_bytes * _GO_MEMORY_SHARE)),
            },
            start_new_session=True,
        )
        worker = cls(process, settings)
        worker._complaints = tasks.create_task(worker._keep_complaints(), name="worker complaints")
        try:
            async with asyncio.timeout(settings.start_timeout_s):
                ready = await worker._receive()
        except (TimeoutError, WorkerLost):
            await worker.kill()
            text = worker._stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise RenderError(
                "worker", f"can't be started: {text or 'it takes too long'}", transient=True
            ) from None
        except BaseException:
            await worker.kill()
            raise
        worker._note_usage(ready)
        missing = {Layer(name): reason for name, reason in ready["missing"].items()}
        worker.protection = Protection(frozenset(map(Layer, ready["present"])), missing)
        return worker

    @property
    def pid(self) -> int:
        """The worker's process, which leads a group of its own."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Tell whether the process is gone."""
        return self._process.returncode is not None

    @property
    def is_worn(self) -> bool:
        """Tell whether the worker should be replaced."""
        done = self._renderings >= self._settings.renderings_per_worker or self._cpu_s > _CPU_REPLACED_AT_S
        return done or self.has_ended or self.peak_memory_bytes > self._settings.memory_bytes // 2

    async def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the worker's answer; WorkerLost if it ends instead. Cancelled, the worker is to be killed."""
        self._renderings += 1
        self._stderr.clear()
        try:
            self._stdin.write(frames.encode(request))
            await self._stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise await self._lost() from None
        answer = await self._receive()
        self._note_usage(answer)
        return answer

    def _note_usage(self, answer: dict[str, Any]) -> None:
        self._cpu_s = float(answer["cpu_s"])
        self.peak_memory_bytes = int(answer["peak_memory_bytes"])

    async def _receive(self) -> dict[str, Any]:
        try:
            size = frames.body_size(await self._stdout.readexactly(frames.HEADER_BYTES))
            if size > self._settings.max_output_bytes + _FRAME_EXTRA_BYTES:
                raise WorkerLost("the renderer answered with more than it may")
            return frames.decode(await self._stdout.readexactly(size))
        except asyncio.IncompleteReadError:
            raise await self._lost() from None
        except ValueError:
            raise WorkerLost("the renderer gave an answer that can't be read") from None

    async def _lost(self) -> WorkerLost:
        status = await self._process.wait()
        if self._complaints is not None:
            # What it said last may still be on its way.
            await asyncio.wait({self._complaints}, timeout=_LAST_WORDS_TIMEOUT_S)
        text = self._stderr.decode("utf-8", "replace")
        if "stack exceeds" in text or "stack overflow" in text:
            return WorkerLost("recurses without end")
        if any(words in text for words in _NO_MEMORY):
            return WorkerLost("needs more memory than a rendering may have")
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        return WorkerLost(f"the renderer ended while it worked on this source ({how})")

    async def _keep_complaints(self) -> None:
        """Keep the beginning of what the worker writes to stderr during a rendering: it tells why it died.

        It is never shown as it is. Go's runtime says what happened first, then much about where.
        """
        stderr = _piped(self._process.stderr)
        while data := await stderr.read(4096):
            self._stderr += data[: _STDERR_KEPT_BYTES - len(self._stderr)]

    async def kill(self) -> None:
        """End the worker and everything in its process group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._stdin.close()
        await self._process.wait()
