"""Scripts in Lua: Argo CD's contract, what a script can reach, and what it can cost."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytest

from edge_agent.health.lua import MEMORY_BYTES, STRIKES, OutOfBounds, Script, ScriptFailed
from edge_agent.health.lua_values import mend

# Short, so that tests of what would run for ever are quick.
TIME_S = 0.02
# What a run may outlast its bound by: a call of C between two looks at the clock, on a busy machine.
SLACK_S = 2.0


def run(source: str, obj: dict[str, Any] | None = None, *, open_libs: bool = True) -> Any:
    return Script("script of a test", source, open_libs, TIME_S).run(obj or {})


def test_a_script_sees_the_object_as_tables_and_answers_with_one() -> None:
    obj = {"status": {"phase": "Up", "replicas": 3, "list": ["a", "b"], "on": True, "none": None}}
    source = """
    local s = obj.status
    return {status = s.phase, message = s.replicas .. s.list[1] .. #s.list .. tostring(s.on) .. tostring(s.none)}
    """
    assert run(source, obj) == {"status": "Up", "message": "3a2truenil"}


def test_a_script_may_use_goto_and_getn_and_global_names() -> None:
    assert run("hs = {} goto done hs.x = 1 ::done:: hs.n = table.getn({1, 2}) return hs") == {"n": 2}


def test_a_scripts_globals_are_gone_with_its_run() -> None:
    script = Script("script", "seen = (seen or 0) + 1 string.find = nil return seen", open_libs=True)
    assert [script.run({}), script.run({})] == [1, 1]
    assert run("return ('shop'):find('op', 1, true)") == 4  # the last value that is returned counts


def test_values_survive_the_way_through_lua() -> None:
    before = {
        "empty": {},
        "list": [],
        "big": 2**53 + 1,
        "huge": 2**70,
        "half": 0.5,
        "whole": 2.0,
        "text": "größer",
        "deep": [{"none": {}}],
    }
    assert mend(run("return obj", before), before) == before


@pytest.mark.parametrize(
    ("value", "found"),
    [("a\ud800", "a?"), (10**400, sys.float_info.max), (-(2**64), -float(2**64))],
    ids=["no Unicode", "too big", "too small"],
)
def test_a_value_that_lua_cannot_hold_becomes_the_nearest_that_it_can(value: Any, found: Any) -> None:
    assert run("return obj.x", {"x": value, "deep": [{"x": value}]}) == found


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("return (((", "can't be read"),
        ("\x1bLJ\x02", "can't be read"),
        ("return obj.status.phase", "attempt to index"),
        ("error('no way', 0)", "no way"),
        ("error({})", "raised a table"),
        ("error()", "raised a nil"),
        ("return function() end", "no text, number"),
        ("return {1, nil, 3}", "holes"),
        ("return {1, a = 2}", "both numbers and names"),
        ("return 0/0", "without a value"),
        ("local t = {} t.t = t return t", "part of itself"),
        ("return '\\255'", "utf-8"),
        ("local function f() return 1 + f() end return f()", "stack overflow"),
        ("return require('ffi')", "not available"),
        ("x" * (70 * 1024), "longer than"),
    ],
)
def test_a_failed_script_names_itself_and_says_why(source: str, why: str) -> None:
    with pytest.raises(ScriptFailed) as failed:
        run(source)
    assert str(failed.value).startswith("script of a test: ")
    assert why in str(failed.value)


REACHED = """
local reached = {}
for name in pairs(_G) do reached[#reached + 1] = name end
table.sort(reached)
return reached
"""


def test_a_script_reaches_what_it_may_and_nothing_else() -> None:
    base = "_G _VERSION actionParams assert error getmetatable ipairs next obj os pairs pcall print rawequal"
    rest = "rawget rawset require select setmetatable table tonumber tostring type unpack xpcall"
    assert run(REACHED, open_libs=False) == sorted(f"{base} {rest}".split())
    assert run(REACHED) == sorted(f"{base} {rest} math string".split())


def test_of_os_a_script_has_the_time_and_the_date() -> None:
    assert run("local n = {} for k in pairs(os) do n[#n + 1] = k end table.sort(n) return n") == [
        "date",
        "time",
    ]
    assert run("return require('os').date('!%Y-%m-%dT%XZ', 0)") == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize(
    "name",
    [
        *(
            "collectgarbage",
            "coroutine",
            "debug",
            "dofile",
            "ffi",
            "getfenv",
            "io",
            "jit",
            "load",
            "loadfile",
        ),
        *("loadstring", "module", "newproxy", "package", "python", "setfenv", "string.dump"),
        *("os.execute", "os.exit", "os.getenv", "os.remove", "os.rename", "os.tmpname"),
    ],
)
def test_what_reaches_out_of_the_sandbox_is_not_there(name: str) -> None:
    assert run(f"return {name} == nil") is True


def test_the_metatable_of_text_is_out_of_reach() -> None:
    assert run("return tostring(getmetatable(''))") == "nil"
    with pytest.raises(ScriptFailed, match="setmetatable"):
        run("setmetatable('', {})")


def test_text_has_methods_only_with_open_libraries() -> None:
    assert run("return ('a'):upper()") == "A"
    with pytest.raises(ScriptFailed, match="attempt to index"):
        run("return ('a'):upper()", open_libs=False)
    assert run("return ('a'):upper()") == "A"


@pytest.mark.parametrize(
    "source",
    [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "local function f() return pcall(f) end while true do f() end",
        "xpcall(function() while true do end end, function() while true do end end) while true do end",
        "setmetatable(_G, {__index = function() while true do end end}) return nothing",
        "tostring(setmetatable({}, {__tostring = function() while true do end end}))",
        "return (('a'):rep(30)):find(('.-'):rep(30) .. 'b')",
        "return (('a'):rep(200000)):find(('.*'):rep(8) .. 'b')",
        "return (('a'):rep(2000000)):gsub('a*b', '')",
        "return (('a'):rep(2000000)):find(('a'):rep(500000) .. 'b', 1, true)",
        "local t = {} for i = 1, 300000 do t[i] = (i * 7919) % 400009 end table.sort(t)",
        "local t = {} for i = 1, 300000 do t[i] = i end while true do table.insert(t, 1, 1) table.remove(t, 1) end",
        "local t = {} for i = 1, 500000 do t[i] = i end for i = 1, 500000 do t[i] = nil end while true do next(t) end",
        "local s = 'x' while true do pcall(function() s = s .. s end) end",
        "while true do os.date() end",
        "local t = {1} while true do table.insert(t, 1, 1) table.remove(t, 1) end",
    ],
)
def test_no_script_outlasts_its_bounds(source: str) -> None:
    began = time.process_time()
    with pytest.raises(OutOfBounds):
        run(source)
    assert time.process_time() - began < TIME_S + SLACK_S


@pytest.mark.parametrize(
    "source",
    [
        "local s = 'x' while true do s = s .. s end",
        "return #string.rep('x', 1e9 / 2)",
        "local t = {} while true do t[#t + 1] = {} end",
        "local t = {} for i = 1, 1e8 do t[i] = ('x'):rep(1000) .. i end",
        "return (('x'):rep(50000)):gsub('x', ('y'):rep(1000))",
    ],
)
def test_no_script_takes_more_memory_than_it_may(source: str) -> None:
    with pytest.raises(OutOfBounds, match=f"{MEMORY_BYTES >> 20} MiB"):
        Script("script of a test", source, open_libs=True, time_s=30.0).run({})
    assert run("return 1") == 1


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("local t = {1, 2} table.insert(t, 3) table.insert(t, 1, 0) return t", [0, 1, 2, 3]),
        ("local t = {1, 2} table.insert(t, 3, 9) return t", [1, 2, 9]),
        ("local t = {1, 2, 3} return {table.remove(t), table.remove(t, 1), t[1]}", [3, 1, 2]),
        (
            "local t = {1} return table.remove(t, -2 ^ 31) or table.remove(t, 5) or table.remove(t, 0 / 0)",
            None,
        ),
        ("return select(2, pcall(table.insert, {1}, -2 ^ 31, 1))", "bad argument"),
        ("return select(2, pcall(table.insert, {1}, 0 / 0, 1))", "bad argument"),
    ],
)
def test_lists_grow_and_shrink_within_their_bounds(source: str, found: Any) -> None:
    began = time.process_time()
    made = run(source)
    assert found in made if isinstance(made, str) else made == found
    assert time.process_time() - began < SLACK_S


def test_an_empty_text_is_repeated_at_once() -> None:
    assert run("return string.rep('', 1e18)") == ""


def test_a_script_that_keeps_meeting_its_bounds_is_not_run_any_more() -> None:
    script = Script("script", "while obj.hang do end return 1", time_s=TIME_S)
    for _ in range(STRIKES - 1):
        with pytest.raises(OutOfBounds):
            script.run({"hang": True})
    assert script.run({}) == 1
    for _ in range(STRIKES):
        with pytest.raises(OutOfBounds):
            script.run({"hang": True})
    with pytest.raises(ScriptFailed, match="until the settings change"):
        script.run({})


def test_an_object_that_is_too_big_for_a_script_is_refused_and_the_next_one_judged() -> None:
    with pytest.raises(ScriptFailed, match="too big"):
        run("return 1", {"list": [{"a": str(index)} for index in range(100_000)]})
    assert run("return 1") == 1


def test_an_object_that_is_nested_too_deeply_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    with pytest.raises(ScriptFailed, match="deep"):
        run("return 1", deep)
    assert run("return 1") == 1
    while deep:  # taken apart by hand: the interpreter would do so by recursion
        deep = deep["a"]
