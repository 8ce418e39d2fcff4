-- Where scripts run: an environment of their own for each run, with nothing in it that reaches the agent, and
-- a bound on time that nothing they call can outlast. Memory is bounded by the interpreter's allocator.
--
-- Called with the source of patterns.lua; returns `compile` and `run`.

local pattern_source = ...

local string, table, math, os = string, table, math, os
local error, pairs, pcall, select, tonumber, tostring = error, pairs, pcall, select, tonumber, tostring
local type, unpack = type, unpack
local getmetatable, setmetatable, setfenv, loadstring = getmetatable, setmetatable, setfenv, loadstring
local sethook, getinfo, clock = debug.sethook, debug.getinfo, os.clock
local collect = collectgarbage

-- Compiled loops would run past the hook.
jit.off()
jit.flush()

-- Between looks at the clock. C functions that scripts may call take some milliseconds at most.
local INSTRUCTIONS = 100
-- Garbage of former runs must not count against this one. In KiB.
local GARBAGE = 2048

local OVERTIME = "took too long"

local pattern_library = loadstring(pattern_source, "=patterns")()
local deadline, expired = 0, false
local run

-- Once over time every instruction raises, so that no pcall of a script's saves it. `run` itself goes on.
local function look()
  if not expired and clock() <= deadline then return end
  if getinfo(2, "f").func == run then return end
  if not expired then
    expired = true
    sethook(look, "", 1)
  end
  error(OVERTIME, 0)
end

local function pick(from, names)
  local to = {}
  for name in string.gmatch(names, "%S+") do to[name] = from[name] end
  return to
end

local function copy(from)
  local to = {}
  for name, value in pairs(from) do to[name] = value end
  return to
end

local BASE = pick(_G, "assert error ipairs next pairs pcall rawequal rawget rawset select tonumber tostring type unpack")
local STRING = pick(string, "byte char format len lower reverse sub upper")
local TABLE = pick(table, "concat maxn")
local MATH = pick(math, "abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log log10 max min mod modf pi pow rad random sin sinh sqrt tan tanh")
local OS = pick(os, "date time")

BASE._VERSION = "Lua 5.1"
BASE.print = function() end
-- Of tables alone: the metatable of text is everybody's.
BASE.getmetatable = function(value)
  return type(value) == "table" and getmetatable(value) or nil
end
BASE.setmetatable = function(value, meta)
  if type(value) ~= "table" then error("bad argument #1 to 'setmetatable' (table expected)", 0) end
  return setmetatable(value, meta)
end
-- Not the interpreter's: it runs the handler inside the hook that raised, where no hook stops it.
BASE.xpcall = function(call, handler)
  local results = { pcall(call) }
  if results[1] then return unpack(results) end
  return false, handler(results[2])
end

local repeat_text = string.rep
STRING.rep = function(text, count)
  -- The interpreter would count through an empty text.
  if text == "" then return "" end
  return repeat_text(text, count)
end

local sort = table.sort
-- Always with a comparison made of instructions: a hostile order makes a sort quadratic.
TABLE.sort = function(list, before)
  if before == nil then return sort(list, function(a, b) return a < b end) end
  return sort(list, function(a, b) return before(a, b) end)
end

local insert, remove = table.insert, table.remove
-- Within the list: the interpreter would count from whatever position it is given.
TABLE.insert = function(list, ...)
  if type(list) ~= "table" or select("#", ...) ~= 2 then return insert(list, ...) end
  local at, value = ...
  at = tonumber(at)
  if not at or not (at >= 1) then error("bad argument #2 to 'insert' (position out of bounds)", 0) end
  if at > #list then
    list[at - at % 1] = value
  else
    insert(list, at, value)
  end
end
TABLE.remove = function(list, at)
  if type(list) ~= "table" or at == nil then return remove(list) end
  at = tonumber(at)
  if at and at >= 1 and at <= #list then return remove(list, at) end
end
TABLE.getn = function(list) return #list end
TABLE.unpack = unpack

-- The methods of text ("x"):find(…). Not reachable as a table, so that no script can change them.
local methods = copy(STRING)
for name, call in pairs(pattern_library()) do methods[name] = call end
local of_text = getmetatable("")

local function environment(open)
  local env, libs = copy(BASE), { table = copy(TABLE), os = copy(OS) }
  if open then libs.string, libs.math = copy(methods), copy(MATH) end
  for name, lib in pairs(libs) do env[name] = lib end
  env._G = env
  env.require = function(name)
    return libs[name] or error("module '" .. tostring(name) .. "' is not available to scripts", 0)
  end
  of_text.__index = open and methods or nil
  return env
end

local function compile(source, name)
  return loadstring(source, "=" .. name, "t")
end

-- Run a compiled script over `obj`. Returns whether it went well, then its last value, or why not and
-- whether for want of time.
run = function(script, obj, parameters, open, seconds)
  if collect("count") > GARBAGE then collect() end
  local env = environment(open)
  env.obj, env.actionParams = obj, parameters
  setfenv(script, env)
  expired, deadline = false, clock() + seconds
  sethook(look, "", INSTRUCTIONS)
  local results = { pcall(script) }
  sethook()
  if expired then return false, OVERTIME, true end
  local problem = results[2]
  if results[1] then return true, results[#results > 1 and #results or 2] end
  if type(problem) == "string" or type(problem) == "number" then return false, tostring(problem), false end
  return false, "raised a " .. type(problem), false
end

-- What the interpreter came with is out of reach from here on.
local globals, names = _G, {}
for name in pairs(globals) do names[#names + 1] = name end
for index = 1, #names do globals[names[index]] = nil end
of_text.__index = nil

return compile, run
