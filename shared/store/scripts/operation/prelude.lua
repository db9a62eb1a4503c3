-- What every script starts with. KEYS[1] is the tenant's hash; ARGV[1] starts with the SHA-256 of the caller's API
-- key, behind which stands what it needs of the tenant's rate (shared/request/invocation.py).
-- A reply is an array whose first element says what happened: 'ok', or why nothing was done.

-- Numbers leave as text: a Lua number would be cut to an integer, or printed as 1e+15.
local function text(number)
  return string.format('%.0f', number)
end

-- The value of a key's field is when the key ends, in Unix seconds; '0': never. Only a key that is being replaced costs
-- a look at the clock.
local function is_valid(ends_at)
  return ends_at and (ends_at == '0' or tonumber(ends_at) > tonumber(redis.call('TIME')[1]))
end

-- A conversation's version counts all entries ever written. Compaction takes entries out, `o` of them so far, and what
-- stays moves up: an entry's place, the name of its field, is its version less that number.
-- An entry is stored as '<chain hash> <tokens before it> <kind> <facts>\n<body>'.
local function kind_of(entry)
  return string.match(entry, '^%x+ %d+ (%S)')
end

local function is_item(entry)
  local kind = kind_of(entry)
  return kind ~= 'x' and kind ~= '-' and kind ~= 'm' and kind ~= 'y'
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

-- What an id is charged that is kept, twice, after compaction took its item out (compact.lua).
local function gone_bytes(id)
  return 2 * #id + 16
end

-- A conversation's row in the tenant's metadata index.
local function row(created, expiry, used, metadata)
  return created .. ' ' .. expiry .. ' ' .. used .. ' ' .. metadata
end

-- Whether a conversation has expired that was last written at *written_us*, and read at *used* as its row says.
local function has_expired(written_us, expiry, used, now_s)
  return expiry ~= '0' and math.max(tonumber(written_us) / 1000000, tonumber(used)) + tonumber(expiry) < now_s
end

-- Hands the entries from..to (step 1 or -1) one by one to take(seq, entry) until it returns true, in chunks
-- that hold about a million bytes by the conversation's average entry, so that one call never copies much more
-- than is sent.
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

-- Whether so many entries are none that live that compaction is worth its while. Summaries count among them, but
-- are few.
local function is_sparse(entries, live)
  return entries >= 64 and 2 * live < entries
end

local function chunk_for(bytes, version, wanted)
  local average = bytes / math.max(version, 1)
  return math.max(4, math.min(wanted, 4000, math.floor(1000000 / math.max(average, 1))))
end
