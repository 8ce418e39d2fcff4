"""jq path expressions: where they lead to in an object, found out by a process that may be killed.

The process (`expression_worker`) is started when a rule first needs it, serves one request at a time and ends
when nobody has asked for a while; it is no part of the agent's memory while no rule uses jq. The kernel ends
it when a request takes more time or memory than it may. Which expression it was is found out by asking for
each alone, and that one is set aside for `ASIDE_S`: a looping one costs a second of a processor now and then.

An expression that can't be answered raises `ExpressionFailed`: the object can't be compared then. To compare
it without the rule would be to undo what somebody asked to be left alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_agent.cluster.names import Object
    from edge_agent.diff.ignore import Path

# How long an answer is waited for, the start of the process included, on a box that is busy.
WAIT_S = 10.0
# How long an expression that took too long or too much is not asked again.
ASIDE_S = 600.0
# How long an idle process lives on. It holds some 12 MiB.
IDLE_S = 30.0
# Of one object.
PATHS_MAX = 10_000
# Of one answer. What is larger is no list of a few fields.
ANSWER_MAX_BYTES = 4 << 20

_WORKER = FilePath(__file__).with_name("expression_worker.py")


class ExpressionFailed(Exception):
    """An expression can't be evaluated; the message names it and says why."""

    def __init__(self, expression: str, reason: str) -> None:
        self.expression, self.reason = expression, reason
        super().__init__(f"ignoreDifferences: jqPathExpressions: {expression!r} {reason}")


class _Ended(Exception):
    """The process ended, or was killed, before it answered."""


class Expressions:
    """Evaluates expressions. `run` ends the process when it is cancelled."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None
        self._aside: dict[str, tuple[float, str]] = {}
        self._ending: list[asyncio.subprocess.Process] = []

    async def run(self) -> None:
        """Live as long as the agent; leave no process behind."""
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self._end()
            for process in self._ending:
                await process.wait()

    async def paths(self, expressions: Sequence[str], objects: Sequence[Object]) -> list[tuple[Path, ...]]:
        """Return for each object where the expressions lead to in it. Raises `ExpressionFailed`."""
        if not expressions or not objects:
            return [() for _ in objects]
        async with self._turn:
            self._refuse_those_aside(expressions)
            try:
                answers = await self._ask(expressions, objects)
            except _Ended:
                if len(expressions) == 1:
                    raise self._set_aside(expressions[0]) from None
                answers = [await self._ask_alone(expression, objects) for expression in expressions]
        found: list[dict[Path, None]] = [{} for _ in objects]
        for expression, answer in zip(expressions, answers, strict=True):
            if "error" in answer:
                raise ExpressionFailed(expression, str(answer["error"]))
            for paths, raw, one in zip(found, answer["paths"], objects, strict=True):
                for steps in raw:
                    paths.update(dict.fromkeys(_concrete(steps, one)))
                    if len(paths) > PATHS_MAX:
                        raise ExpressionFailed(expression, f"leads to more than {PATHS_MAX} fields")
        return [tuple(paths) for paths in found]

    def _end(self) -> None:
        """End the process, if there is one. It is started again when it is needed."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        process, self._process = self._process, None
        self._ending = [one for one in self._ending if one.returncode is None]
        if process is not None and process.returncode is None:
            self._ending.append(process)
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    def _refuse_those_aside(self, expressions: Sequence[str]) -> None:
        now_s = asyncio.get_running_loop().time()
        for expression in expressions:
            until_s, reason = self._aside.get(expression, (now_s, ""))
            if until_s > now_s:
                raise ExpressionFailed(expression, reason)
            self._aside.pop(expression, None)

    async def _ask_alone(self, expression: str, objects: Sequence[Object]) -> dict[str, Any]:
        try:
            return (await self._ask([expression], objects))[0]
        except _Ended:
            raise self._set_aside(expression) from None

    def _set_aside(self, expression: str) -> ExpressionFailed:
        reason = "took more than its time or memory"
        self._aside[expression] = (asyncio.get_running_loop().time() + ASIDE_S, reason)
        return ExpressionFailed(expression, reason)

    async def _ask(self, expressions: Sequence[str], objects: Sequence[Object]) -> list[dict[str, Any]]:
        """Ask the process; it is killed when it doesn't answer, or when nobody waits for the answer."""
        request = json.dumps([list(expressions), list(objects)], separators=(",", ":")).encode() + b"\n"
        answered = False
        try:
            async with asyncio.timeout(WAIT_S):
                process = await self._started()
                if process.stdin is None or process.stdout is None:
                    raise _Ended
                process.stdin.write(request)
                await process.stdin.drain()
                line = await process.stdout.readline()
            answer: list[dict[str, Any]] = json.loads(line)
            answered = True
        except (TimeoutError, ValueError, ConnectionError) as error:
            # No answer, half of one, or one that is too long.
            raise _Ended from error
        finally:
            if not answered:
                self._end()
        self._idle = asyncio.get_running_loop().call_later(IDLE_S, self._end)
        return answer

    async def _started(self) -> asyncio.subprocess.Process:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-S",
                str(_WORKER),
                _folder_of_jq(),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={},
                limit=ANSWER_MAX_BYTES,
            )
        return self._process


def _folder_of_jq() -> str:
    found = importlib.util.find_spec("jq")
    if found is None or found.origin is None:
        raise ExpressionFailed("", "need the package jq, which is not installed: install outrider[agent]")
    return str(FilePath(found.origin).parent)


def _concrete(steps: Any, found: Any) -> list[Path]:
    """Return a path of jq as steps that exist in the object: positions from the end counted from the
    beginning, a slice as its items. The empty path, the whole object, leads to nothing.
    """
    paths: list[tuple[Path, Any]] = [((), found)] if isinstance(steps, list) and steps else []
    for step in steps if paths else ():
        paths = [
            ((*path, name), part[int(name)] if isinstance(part, list) else part[name])
            for path, part in paths
            for name in _names(step, part)
        ]
    return [path for path, _ in paths]


def _names(step: Any, part: Any) -> list[str]:
    if isinstance(part, Mapping):
        return [step] if isinstance(step, str) and step in part else []
    if not isinstance(part, list):
        return []
    if isinstance(step, int):
        position = step if step >= 0 else step + len(part)
        return [str(position)] if 0 <= position < len(part) else []
    if isinstance(step, Mapping):
        bounds = [step.get("start"), step.get("end")]
        if all(bound is None or isinstance(bound, int) for bound in bounds):
            return [str(position) for position in range(*slice(*bounds).indices(len(part)))]
    return []
