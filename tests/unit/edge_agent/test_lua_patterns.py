"""The sandbox's pattern matching is the interpreter's, to the letter."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lupa import luajit21

from edge_agent.health.lua import Script

CALLS = """
local results = {}
local function call(name, ...)
  local packed = {pcall(string[name], ...)}
  local said = {tostring(packed[1])}
  for index = 2, 8 do
    -- Errors are compared by whether they are raised: the interpreter's name other places.
    said[index] = packed[1] and tostring(packed[index]) or "error"
  end
  results[#results + 1] = name .. ": " .. table.concat(said, " ")
end
local text, pattern, repl, at = obj.text, obj.pattern, obj.repl, obj.at
call("find", text, pattern)
call("find", text, pattern, at)
call("find", text, pattern, at, true)
call("match", text, pattern)
call("match", text, pattern, at)
call("gsub", text, pattern, repl)
call("gsub", text, pattern, repl, 1)
call("gsub", text, pattern, {a = "[A]", b = false})
call("gsub", text, pattern, function(a, b) return b end)
if pattern:sub(1, 1) ~= "^" then
  local ok = pcall(function()
    for a, b in text:gmatch(pattern) do results[#results + 1] = tostring(a) .. "," .. tostring(b) end
  end)
  results[#results + 1] = tostring(ok)
end
return results
"""

NATIVE = luajit21.LuaRuntime(unpack_returned_tuples=True)
NATIVE_CALLS = NATIVE.eval(f"function(obj) {CALLS} end")

ITEMS = ["a", "b", "1", " ", ".", "%a", "%d", "%s", "%w", "%A", "%.", "%%", "[ab]", "[^a]", "[a-c1]", "[]a]"]
OTHERS = ["(", ")", "()", "(a", "b)", "(.-)", "%bab", "%f[a]", "%f[%W]", "%1", "%2", "[%d%s]", *"*+-?^$"]
PIECES = st.sampled_from([*ITEMS, *OTHERS])
PATTERNS = st.lists(PIECES, max_size=6).map("".join)
TEXTS = st.text(alphabet="ab1 c.([", max_size=10)
REPLACEMENTS = st.sampled_from(["", "x", "<%0>", "%1", "%1%2", "%%", "%9"])


@settings(max_examples=300, deadline=None)
@given(text=TEXTS, pattern=PATTERNS, repl=REPLACEMENTS, at=st.integers(-12, 12))
@example(text="key = value", pattern="^(%w+)%s*=%s*(%w+)$", repl="%2=%1", at=1)
@example(text="a(b(c)d)e", pattern="%b()", repl="<%0>", at=2)
@example(text="aaa", pattern="a-b?", repl=".", at=1)
@example(text="THE (quick) fox", pattern="%f[%a]%a+", repl="x", at=1)
def test_a_pattern_means_what_it_means_to_the_interpreter(
    text: str, pattern: str, repl: str, at: int
) -> None:
    obj: dict[str, Any] = {"text": text, "pattern": pattern, "repl": repl, "at": at}
    expected = list(NATIVE_CALLS(NATIVE.table_from(obj)).values())
    assert Script("script", CALLS, open_libs=True, time_s=10.0).run(obj) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("return ('2/3'):match('(%d+)/(%d+)')", "3"),
        ("return (string.gsub('a.b.c', '%.', '-'))", "a-b-c"),
        ("local n = {} for k in ('a=1, b=2'):gmatch('(%w+)=') do n[#n + 1] = k end return n", ["a", "b"]),
        ("return (('x'):rep(50000) .. 'y'):find('y', 1, true)", 50001),
        ("return (('x'):rep(50000) .. 'y'):match('x*(y)')", "y"),
    ],
)
def test_scripts_match_patterns(source: str, expected: Any) -> None:
    assert Script("script", source, open_libs=True, time_s=10.0).run({}) == expected


@pytest.mark.parametrize("pattern", ["a%", "[a", "[^", "%f", "%b", "%bx", "(" * 40 + ")" * 40, "a*" * 3000])
def test_a_pattern_that_makes_no_sense_is_an_error_even_where_nothing_could_match(pattern: str) -> None:
    source = "local ok, why = pcall(string.find, obj.text, obj.pattern) return {ok = ok, why = why}"
    found = Script("script", source, open_libs=True).run({"text": "", "pattern": pattern})
    assert found["ok"] is False
    assert "pattern" in found["why"] or "captures" in found["why"]
