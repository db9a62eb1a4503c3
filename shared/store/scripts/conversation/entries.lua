-- The entries of a conversation.
-- @part
-- @include text
--
-- A conversation's version counts all entries ever written. Compaction takes entries out, `o` of them so far, and what
-- stays moves up: an entry's place, the name of its field, is its version less that number.
-- An entry is stored as '<chain hash> <tokens before it> <kind> <facts>\n<body>', and '\n<extras>' where it has any.

local function kind_of(entry)
  return string.match(entry, '^%x+ %d+ (%S)')
end

-- Kinds in capitals are those of records that newer releases may write beside items: they are passed over.
local function is_item(entry)
  return not string.find(kind_of(entry), '[%-mxyz%u]')
end

local function facts_of(entry)
  return string.match(entry, '^%x+ %d+ %S ([^\n]*)')
end

-- The facts of an item, and of a summary, start with its counts and its id.
local function tokens_of(entry)
  local overhead, content = string.match(entry, '^%x+ %d+ %a %[(%d+),(%d+)')
  return tonumber(overhead) + tonumber(content)
end

local function id_of(entry)
  return string.match(entry, '%[%d+,%d+,%d+,"([^"]*)"')
end

-- What the shortest form of a result saves: the twelfth of its facts lists its forms, each with what it counts.
local function saved_of(entry)
  local facts = cjson.decode(facts_of(entry))
  local shortest = facts[12] and facts[12][1]
  return shortest and facts[2] - shortest[4] or 0
end

-- How many fields one call may be given: unpack can hold about twice as many values.
local UNPACK_MAX = 4000

-- So much one call may copy, about: not much more than is sent.
local CALL_BYTES = 1000000

-- Hands the entries from..to (step 1 or -1) one by one to take(seq, entry) until it returns true, *chunk* at a time.
local function walk(key, from, to, step, chunk, take)
  local seq = from
  while (to - seq) * step >= 0 do
    local fields = {}
    while #fields < chunk and (to - seq) * step >= 0 do
      fields[#fields + 1] = text(seq)
      seq = seq + step
    end
    local entries = redis.call('HMGET', key, unpack(fields))
    for i, entry in ipairs(entries) do
      if entry and take(tonumber(fields[i]), entry) then return end
    end
  end
end

-- How many of *wanted* entries to hand to `walk` at a time, by the conversation's average entry.
local function chunk_for(bytes, entries, wanted)
  local average = bytes / math.max(entries, 1)
  return math.max(4, math.min(wanted, UNPACK_MAX, math.floor(CALL_BYTES / math.max(average, 1))))
end
