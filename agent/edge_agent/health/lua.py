"""Scripts in Lua, as published for Argo CD: LuaJIT, in a sandbox, bounded in time and memory.

A script sees plain tables, the libraries that Argo CD gives its scripts, and nothing of the agent: no files,
no processes, no loading of code, no Python. Each run has an environment of its own. What a run can cost is
bounded, whatever the script catches: time by a hook that counts instructions (LuaJIT's compiler is off, and
pattern matching is made of instructions too), memory by the interpreter's allocator. A script that keeps
meeting its bounds isn't run any more.

The interpreter is imported and started by the first script that is run, not before. Scripts are run from one
thread at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from edge_agent.health.lua_values import UnreadableValue, from_lua, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

# What scripts are for is done in far less than a millisecond; the agent does nothing else meanwhile.
TIME_S = 0.25
# Of the interpreter, with the object and what the script makes.
MEMORY_BYTES = 16 << 20
# Of a script's text.
SOURCE_CHARS = 64 * 1024
# A script that met its bounds this often in a row is given up until the settings change.
STRIKES = 3
# Scripts kept ready to run, those of former settings among them.
COMPILED_MAX = 256

_NO_MEMORY = "not enough memory"
"""As LuaJIT says it."""


class ScriptFailed(Exception):
    """A script that gave no answer. The message names the script and says why."""

    def __init__(self, name: str, why: str) -> None:
        self.name = name
        super().__init__(f"{name}: {why}")


class OutOfBounds(ScriptFailed):
    """A run that took too long or too much memory."""


@dataclass(slots=True, eq=False)
class Script:
    """One script, and how it fared."""

    name: str
    """What it is, in messages: `health script of cert-manager.io/Certificate`."""
    source: str
    open_libs: bool = False
    """Whether it has `string`, `math`, and the methods of text."""
    time_s: float = TIME_S
    strikes: int = field(default=0, init=False)

    def run(self, obj: Mapping[str, Any], parameters: Mapping[str, str] | None = None) -> Any:
        """Return what the script returns, as JSON. Raises `ScriptFailed` and nothing else."""
        if self.strikes >= STRIKES:
            raise ScriptFailed(
                self.name, f"met its bounds {STRIKES} times and isn't run until the settings change"
            )
        try:
            found = _interpreter().run(self, obj, parameters or {})
        except OutOfBounds:
            self.strikes += 1
            # What it took is given back with the interpreter.
            _interpreter.cache_clear()
            raise
        self.strikes = 0
        return found


@cache
def _interpreter() -> _Interpreter:
    return _Interpreter()


class _Interpreter:
    def __init__(self) -> None:
        # 2 MiB that an agent without scripts doesn't need.
        from lupa import luajit21

        self._lua = luajit21
        self._runtime = luajit21.LuaRuntime(
            encoding="utf-8",
            unpack_returned_tuples=True,
            register_eval=False,
            register_builtins=False,
            attribute_filter=_refuse,
            max_memory=MEMORY_BYTES,
        )
        self._table = type(self._runtime.table())
        here = Path(__file__).parent
        sandbox = self._runtime.compile((here / "sandbox.lua").read_text(encoding="utf-8"))
        self._compile, self._run = sandbox((here / "patterns.lua").read_text(encoding="utf-8"))
        self._compiled: dict[str, Any] = {}
        # Only a script's run is bounded: out of memory outside of one, the interpreter ends the process.
        self._runtime.set_max_memory(0)

    def run(self, script: Script, obj: Mapping[str, Any], parameters: Mapping[str, str]) -> Any:
        """Run a script over an object; raises `ScriptFailed`."""
        compiled = self._compiled.get(script.source)
        if compiled is None:
            if len(self._compiled) >= COMPILED_MAX:
                self._compiled.clear()
            compiled = self._compiled[script.source] = self._read(script)
        if isinstance(compiled, str):
            raise ScriptFailed(script.name, compiled)
        given, named = self._take(script, obj), self._take(script, parameters)
        self._runtime.set_max_memory(MEMORY_BYTES)
        try:
            answer = self._run(compiled, given, named, script.open_libs, script.time_s)
        except self._lua.LuaMemoryError as error:
            raise OutOfBounds(script.name, _too_much()) from error
        except (UnicodeError, self._lua.LuaError) as error:
            raise ScriptFailed(script.name, str(error)) from error
        finally:
            self._runtime.set_max_memory(0)
        return self._answer(script, answer)

    def _read(self, script: Script) -> Any:
        """Return a script ready to run, or what is wrong with it: that too is found out once."""
        if len(script.source) > SOURCE_CHARS:
            return f"is longer than {SOURCE_CHARS} characters"
        try:
            found = self._compile(script.source, "line")
        except (UnicodeError, self._lua.LuaError) as error:
            return f"can't be read: {error}"
        return f"can't be read: {found[1]}" if isinstance(found, tuple) else found

    def _take(self, script: Script, value: Mapping[str, Any]) -> Any:
        try:
            try:
                table = self._runtime.table_from(value, recursive=True)
            except (OverflowError, UnicodeError):
                table = self._runtime.table_from(plain(value), recursive=True)
        except (RecursionError, self._lua.LuaError) as error:
            raise ScriptFailed(script.name, "the object is nested too deeply for a script") from error
        # A run that starts with too little left would end the process, not itself.
        if self._runtime.get_memory_used() > MEMORY_BYTES // 2:
            self._runtime.gccollect()
        if self._runtime.get_memory_used() > MEMORY_BYTES // 2:
            raise ScriptFailed(script.name, "the object is too big for a script")
        return table

    def _answer(self, script: Script, answer: Any) -> Any:
        well, value, overtime = (*answer, None)[:3] if isinstance(answer, tuple) else (answer, None, None)
        if well:
            try:
                return from_lua(value, self._table)
            except (UnreadableValue, UnicodeError) as error:
                raise ScriptFailed(script.name, f"returned {error}") from error
        if overtime:
            raise OutOfBounds(script.name, f"took more than {script.time_s * 1000:.0f} ms")
        if value == _NO_MEMORY:
            raise OutOfBounds(script.name, _too_much())
        raise ScriptFailed(script.name, str(value))


def _too_much() -> str:
    return f"took more than {MEMORY_BYTES >> 20} MiB"


def _refuse(*_: object) -> NoReturn:
    raise AttributeError("scripts see no Python")
