-- Lua's patterns, written in Lua.
--
-- The interpreter's own matcher is C: nothing can stop it while it backtracks, and a pattern like
-- (".-"):rep(20) over a long text backtracks for years. This one is made of instructions, so a run's bound on
-- time holds inside it too. What a single character matches is asked of the interpreter's matcher once, so
-- that classes and sets mean the same.

local byte, char, sub, len = string.byte, string.char, string.sub, string.len
local native_find = string.find
local concat = table.concat
local error, type, tostring, tonumber, select, unpack = error, type, tostring, tonumber, select, unpack

-- As in the interpreter (LUA_MAXCAPTURES).
local MAX_CAPTURES = 32
-- Of a pattern, in bytes: the work to read one grows with it.
local MAX_PATTERN = 4096
-- Byte comparisons that one search for plain text may take without coming up for air.
local PLAIN_WORK = 1000 * 1000

local SINGLE, OPEN, CLOSE, POSITION, BALANCE, FRONTIER, BACK, FINISH = 1, 2, 3, 4, 5, 6, 7, 8
local UNFINISHED, PLACE = -1, -2

-- What an item (a character, a class, a set) matches: byte -> true.
local function members(item)
  local found = {}
  local anchored = "^" .. item
  for code = 0, 255 do
    if native_find(char(code), anchored) then found[code] = true end
  end
  return found
end

-- The position after the item that begins at `at`.
local function item_end(pattern, at)
  local first = byte(pattern, at)
  at = at + 1
  if first == 37 then -- %
    if at > len(pattern) then error("malformed pattern (ends with '%')", 0) end
    return at + 1
  end
  if first ~= 91 then return at end -- [
  if byte(pattern, at) == 94 then at = at + 1 end -- ^
  repeat
    local code = byte(pattern, at)
    if not code then error("malformed pattern (missing ']')", 0) end
    at = at + 1
    if code == 37 and at <= len(pattern) then at = at + 1 end
  until byte(pattern, at) == 93 -- ]
  return at + 1
end

local function escaped(pattern, at)
  local code = byte(pattern, at + 1)
  if code == 98 then -- %bxy
    if not byte(pattern, at + 3) then error("unbalanced pattern", 0) end
    return { kind = BALANCE, opens = byte(pattern, at + 2), closes = byte(pattern, at + 3) }, at + 4
  elseif code == 102 then -- %f[set]
    if byte(pattern, at + 2) ~= 91 then error("missing '[' after '%f' in pattern", 0) end
    local stop = item_end(pattern, at + 2)
    return { kind = FRONTIER, set = members(sub(pattern, at + 2, stop - 1)) }, stop
  elseif code and code >= 48 and code <= 57 then -- %1
    return { kind = BACK, index = code - 48 }, at + 2
  end
end

local function node_at(pattern, at)
  local code = byte(pattern, at)
  if code == 40 then -- (
    if byte(pattern, at + 1) == 41 then return { kind = POSITION }, at + 2 end
    return { kind = OPEN }, at + 1
  elseif code == 41 then -- )
    return { kind = CLOSE }, at + 1
  elseif code == 36 and at == len(pattern) then -- $
    return { kind = FINISH }, at + 1
  elseif code == 37 then -- %
    local node, stop = escaped(pattern, at)
    if node then return node, stop end
  end
  local stop = item_end(pattern, at)
  local node = { kind = SINGLE, set = members(sub(pattern, at, stop - 1)) }
  local times = byte(pattern, stop)
  if times == 42 or times == 43 or times == 45 or times == 63 then -- * + - ?
    node.times = times
    stop = stop + 1
  end
  return node, stop
end

-- Read patterns are kept for the run: a script's loop reads each once.
local function reader()
  local known, count = {}, 0
  return function(pattern, at)
    local key = at .. pattern
    local nodes = known[key]
    if nodes then return nodes end
    if len(pattern) > MAX_PATTERN then error("pattern is longer than " .. MAX_PATTERN .. " bytes", 0) end
    nodes = {}
    while at <= len(pattern) do
      nodes[#nodes + 1], at = node_at(pattern, at)
    end
    if count >= 64 then known, count = {}, 0 end
    known[key], count = nodes, count + 1
    return nodes
  end
end

local run

local function repeated(state, node, at, index)
  local text, set, times = state.text, node.set, node.times
  if times == 63 then -- ?
    if set[byte(text, at)] then
      local stop = run(state, at + 1, index + 1)
      if stop then return stop end
    end
    return run(state, at, index + 1)
  elseif times == 45 then -- -
    while true do
      local stop = run(state, at, index + 1)
      if stop then return stop end
      if not set[byte(text, at)] then return nil end
      at = at + 1
    end
  end
  local last, least = at, times == 43 and at + 1 or at -- + or *
  while set[byte(text, last)] do last = last + 1 end
  while last >= least do
    local stop = run(state, last, index + 1)
    if stop then return stop end
    last = last - 1
  end
end

local function balanced(text, node, at)
  if byte(text, at) ~= node.opens then return nil end
  local depth = 1
  for here = at + 1, len(text) do
    local code = byte(text, here)
    if code == node.closes then
      depth = depth - 1
      if depth == 0 then return here + 1 end
    elseif code == node.opens then
      depth = depth + 1
    end
  end
end

local function captured(state, index)
  if index < 1 or index > state.level or state.lengths[index] == UNFINISHED then
    error("invalid capture index", 0)
  end
  return index
end

local function opened(state, at, index, length)
  if state.level >= MAX_CAPTURES then error("too many captures", 0) end
  state.level = state.level + 1
  state.starts[state.level], state.lengths[state.level] = at, length
  local stop = run(state, at, index + 1)
  if not stop then state.level = state.level - 1 end
  return stop
end

local function closed(state, at, index)
  for level = state.level, 1, -1 do
    if state.lengths[level] == UNFINISHED then
      state.lengths[level] = at - state.starts[level]
      local stop = run(state, at, index + 1)
      if not stop then state.lengths[level] = UNFINISHED end
      return stop
    end
  end
  error("invalid pattern capture", 0)
end

-- Where the text ends that the nodes from `index` on match at `at`; nil: they don't.
run = function(state, at, index)
  local nodes, text = state.nodes, state.text
  while true do
    local node = nodes[index]
    if not node then return at end
    local kind = node.kind
    if kind == SINGLE then
      if node.times then return repeated(state, node, at, index) end
      if not node.set[byte(text, at)] then return nil end
      at = at + 1
    elseif kind == OPEN then
      return opened(state, at, index, UNFINISHED)
    elseif kind == POSITION then
      return opened(state, at, index, PLACE)
    elseif kind == CLOSE then
      return closed(state, at, index)
    elseif kind == FINISH then
      return at == len(text) + 1 and at or nil
    elseif kind == BALANCE then
      at = balanced(text, node, at)
      if not at then return nil end
    elseif kind == FRONTIER then
      local before, here = at == 1 and 0 or byte(text, at - 1), byte(text, at) or 0
      if node.set[before] or not node.set[here] then return nil end
    else
      local level = captured(state, node.index)
      local length = state.lengths[level]
      if length == PLACE then return nil end
      local start = state.starts[level]
      if sub(text, start, start + length - 1) ~= sub(text, at, at + length - 1) then return nil end
      at = at + length
    end
    index = index + 1
  end
end

local function capture(state, index)
  local length = state.lengths[index]
  if length == PLACE then return state.starts[index] end
  if length == UNFINISHED then error("unfinished capture", 0) end
  return sub(state.text, state.starts[index], state.starts[index] + length - 1)
end

-- The captures of a match; the whole match if the pattern has none and `whole` is asked for.
local function captures(state, start, stop, whole)
  if state.level == 0 and whole then return 1, { sub(state.text, start, stop - 1) } end
  local values = {}
  for index = 1, state.level do values[index] = capture(state, index) end
  return state.level, values
end

local function text_of(value, place, name)
  local kind = type(value)
  if kind == "string" then return value end
  if kind == "number" then return tostring(value) end
  error("bad argument #" .. place .. " to '" .. name .. "' (string expected, got " .. kind .. ")", 0)
end

local function number_of(value, place, name)
  local number = tonumber(value)
  if not number then
    error("bad argument #" .. place .. " to '" .. name .. "' (number expected, got " .. type(value) .. ")", 0)
  end
  return number - number % 1
end

-- Search plain text in slices, none of which is much work.
local function find_plain(text, wanted, at)
  local size = len(wanted)
  if size == 0 then return at, at - 1 end
  local step = size < PLAIN_WORK and PLAIN_WORK / size or 1
  step = step - step % 1
  while at <= len(text) - size + 1 do
    local from, to = native_find(sub(text, at, at + step + size - 2), wanted, 1, true)
    if from then return at + from - 1, at + to - 1 end
    at = at + step
  end
end

local function is_plain(pattern)
  return not native_find(pattern, "[%^%$%*%+%?%.%(%[%%%-]")
end

local function begin(text, init, name)
  if init == nil then return 1 end
  local at = number_of(init, 3, name)
  if at < 0 then at = len(text) + at + 1 end
  if at < 1 then return 1 end
  return at > len(text) + 1 and len(text) + 1 or at
end

local function library()
  local read = reader()
  local lib = {}

  -- Return where the first match from `at` on starts and ends, and its state.
  local function search(text, pattern, at)
    local anchored = byte(pattern, 1) == 94
    local state = { text = text, nodes = read(pattern, anchored and 2 or 1), starts = {}, lengths = {} }
    repeat
      state.level = 0
      local stop = run(state, at, 1)
      if stop then return at, stop, state end
      at = at + 1
    until anchored or at > len(text) + 1
  end

  function lib.find(text, pattern, init, plain)
    text, pattern = text_of(text, 1, "find"), text_of(pattern, 2, "find")
    local at = begin(text, init, "find")
    if plain or is_plain(pattern) then return find_plain(text, pattern, at) end
    local start, stop, state = search(text, pattern, at)
    if not start then return nil end
    local count, values = captures(state, start, stop, false)
    return start, stop - 1, unpack(values, 1, count)
  end

  function lib.match(text, pattern, init)
    text, pattern = text_of(text, 1, "match"), text_of(pattern, 2, "match")
    local start, stop, state = search(text, pattern, begin(text, init, "match"))
    if not start then return nil end
    local count, values = captures(state, start, stop, true)
    return unpack(values, 1, count)
  end

  function lib.gmatch(text, pattern)
    text, pattern = text_of(text, 1, "gmatch"), text_of(pattern, 2, "gmatch")
    local state = { text = text, nodes = read(pattern, 1), starts = {}, lengths = {} }
    local at = 1
    return function()
      while at <= len(text) + 1 do
        state.level = 0
        local start, stop = at, run(state, at, 1)
        if stop then
          at = stop == start and stop + 1 or stop
          local count, values = captures(state, start, stop, true)
          return unpack(values, 1, count)
        end
        at = at + 1
      end
    end
  end

  local function expand(template, state, start, stop)
    local parts, at = {}, 1
    while at <= len(template) do
      local code = byte(template, at)
      if code == 37 then
        at = at + 1
        code = byte(template, at)
        if code == 48 then
          parts[#parts + 1] = sub(state.text, start, stop - 1)
        elseif code and code >= 49 and code <= 57 then
          if code == 49 and state.level == 0 then
            parts[#parts + 1] = sub(state.text, start, stop - 1)
          elseif code - 48 > state.level then
            error("invalid capture index", 0)
          else
            parts[#parts + 1] = capture(state, code - 48)
          end
        else
          parts[#parts + 1] = code and char(code) or ""
        end
        at = at + 1
      else
        local mark = native_find(template, "%", at, true) or len(template) + 1
        parts[#parts + 1] = sub(template, at, mark - 1)
        at = mark
      end
    end
    return concat(parts)
  end

  local function replacement(repl, state, start, stop)
    local kind, value = type(repl)
    if kind == "string" then return expand(repl, state, start, stop) end
    if kind == "table" then
      value = repl[state.level == 0 and sub(state.text, start, stop - 1) or capture(state, 1)]
    else
      local count, values = captures(state, start, stop, true)
      value = repl(unpack(values, 1, count))
    end
    if not value then return sub(state.text, start, stop - 1) end
    if type(value) ~= "string" and type(value) ~= "number" then
      error("invalid replacement value (a " .. type(value) .. ")", 0)
    end
    return value
  end

  function lib.gsub(text, pattern, repl, limit)
    text, pattern = text_of(text, 1, "gsub"), text_of(pattern, 2, "gsub")
    local kind = type(repl)
    if kind == "number" then repl, kind = tostring(repl), "string" end
    if kind ~= "string" and kind ~= "table" and kind ~= "function" then
      error("bad argument #3 to 'gsub' (string/function/table expected, got " .. kind .. ")", 0)
    end
    limit = limit == nil and len(text) + 1 or number_of(limit, 4, "gsub")
    local anchored = byte(pattern, 1) == 94
    local state = { text = text, nodes = read(pattern, anchored and 2 or 1), starts = {}, lengths = {} }
    local parts, at, count = {}, 1, 0
    while count < limit do
      state.level = 0
      local stop = run(state, at, 1)
      if stop then
        count = count + 1
        parts[#parts + 1] = replacement(repl, state, at, stop)
      end
      if stop and stop > at then
        at = stop
      elseif at <= len(text) then
        parts[#parts + 1] = sub(text, at, at)
        at = at + 1
      else
        break
      end
      if anchored then break end
    end
    parts[#parts + 1] = sub(text, at)
    return concat(parts), count
  end

  return lib
end

return library
