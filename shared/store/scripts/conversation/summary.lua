-- Append a summary that stands for all items up to one of them; the one before it is blanked.
-- @include adding, change, entries, fields, sparse, summarised
-- KEYS: tenant, conversation, activity index, rows, record (only with an Idempotency-Key), books of user and agent
-- ARGV: key hash, seed, fingerprint, record_s, expected versions, now_us, conversation id, shards,
--       entries_max, bytes_max, tenant_bytes_max, pinned_tokens_max, id of the last item it stands for, its tokens, its
--       facts, its body, then what whose.lua takes
-- Reply: 'ok', seed, generation, version, chain hash, made_at, '1' if compaction is worth its while
--        | 'unauthorised' | 'erasing'
--        | 'shards', how many | 'reused' | 'unknown' | 'moved', generation, version, chain hash | 'through' | 'deleted'
--        | 'older' | 'torn', how | 'entries' | 'bytes' | 'tenant_bytes', limit | 'pinned', sum
--        | 'owner', …, 'slow', …: as whose.lua
local conversation, record = KEYS[2], KEYS[5]
local entries_max, bytes_max, pinned_max = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[12])
local through_id, tokens, facts, body = ARGV[13], tonumber(ARGV[14]), ARGV[15], ARGV[16]
local wanted = {'v', 'h', 'n', 'w', 'b', 'p', 'e', 'y', 'g', 'i:' .. through_id, 'o',
  'd', 'pin', 'sc'}
local kept, refused = look_back(record, wanted)
if refused then return refused end
local header = fields_of(conversation, wanted)
local fenced = refusal_of_erasing(header.us)
if fenced then return fenced end
local done = replayed(kept, header, done_at(header), '0')
if done then return done end
if not header.v then return {'unknown'} end
if has_moved(expected, header) then return moved(header) end
if not header['i:' .. through_id] then return {'through'} end
local removed, through = tonumber(header.o or 0), tonumber(header['i:' .. through_id])
local newest = tonumber(header.v) - removed
if through % 1 ~= 0 then return {'deleted'} end
local bytes, pinned, before = tonumber(header.b), tonumber(header.p), header.y or ''

-- What the newest summary stands for is out of contexts already.
local floor, blank, before_id = 0, nil, nil
if before ~= '' then
  local old = redis.call('HGET', conversation, before)
  floor, blank, before_id = through_of(old), without_summary(old), cjson.decode(facts_of(old))[8]
  if through < floor then return {'older'} end
  pinned, bytes = pinned - tokens_of(old), bytes - #old + #blank
end

local ASSISTANT_SIDE = {a = true, c = true, r = true, h = true}
local SAID = {u = true, n = true, a = true, c = true, h = true}

-- What follows: whether a response goes on, which outputs have no call behind *through*, whether anything is said.
local target, follower
local calls, outputs, is_end = {}, {}, true
walk(conversation, through, newest, 1, chunk_for(bytes, newest, newest - through + 1), function(seq, entry)
  if not is_item(entry) then return seq == through end
  local kind = kind_of(entry)
  if seq == through then
    target = entry
    return false
  end
  if SAID[kind] then is_end = false end
  if kind ~= 'r' then follower = follower or entry end
  if kind == 'c' or kind == 'o' then
    local key = cjson.decode(facts_of(entry))[5]
    local open = calls[key] or 0
    if kind == 'c' then
      calls[key] = open + 1
    elseif open > 0 then
      calls[key] = open - 1
    else
      outputs[key] = true
    end
  end
end)
if not target then return {'deleted'} end

local function is_same_response(a, b)
  if not ASSISTANT_SIDE[kind_of(a)] or not b or not ASSISTANT_SIDE[kind_of(b)] then return false end
  local is_message = kind_of(a) == 'a' and kind_of(b) == 'a'
  -- One chat message has one name.
  return not is_message or cjson.decode(facts_of(a))[6] == cjson.decode(facts_of(b))[6]
end
if is_same_response(target, follower) then return {'torn', 'response'} end

-- What precedes: whether one of those outputs answers a call here; at the end of the conversation, whether a call of
-- the newest turn still waits for its output. Read backwards, an output closes the nearest call of its key.
if next(outputs) or is_end then
  local answered, is_turn, how = {}, is_end, nil
  walk(conversation, through, floor + 1, -1, chunk_for(bytes, newest, 64), function(_, entry)
    local kind = kind_of(entry)
    if kind == 'u' or kind == 'n' then
      is_turn = false
      return not next(outputs)
    elseif kind == 'c' or kind == 'o' then
      local key = cjson.decode(facts_of(entry))[5]
      local closing = answered[key] or 0
      if kind == 'o' then
        answered[key] = closing + 1
      elseif closing > 0 then
        answered[key] = closing - 1
      elseif outputs[key] or is_turn then
        how = outputs[key] and 'output' or 'open'
        return true
      end
    end
  end)
  if how then return {'torn', how} end
end

-- What it stands for counts, system items aside, which stay: the running sum tells where nothing was ever deleted, and
-- no system item is on both sides.
local function covered_tokens(pinned_before)
  local before_it, behind = 0, 0
  for pin in string.gmatch(header.pin, '%d+') do
    if tonumber(pin) > through then behind = behind + 1 else before_it = before_it + 1 end
  end
  if tonumber(header.d or 0) == 0 and (before_it == 0 or behind == 0) then
    local preceding = tonumber(string.match(target, '^%x+ (%d+)'))
    return preceding + tokens_of(target) - (before_it > 0 and pinned_before or 0)
  end
  local covered, from = 0, 1
  local known, id = covered_by(header)
  if known and id == before_id then covered, from = known, floor + 1 end
  walk(conversation, from, through, 1, chunk_for(bytes, newest, through - from + 1), function(_, entry)
    if is_item(entry) and kind_of(entry) ~= 's' then covered = covered + tokens_of(entry) end
  end)
  return covered
end
local covered = covered_tokens(pinned)

if newest + 1 > entries_max then return {'entries'} end
local place = text(newest + 1)
local chain = linked(header.h, place)
facts = string.sub(facts, 1, -2) .. ',' .. now_s .. ',' .. header['i:' .. through_id] .. ']'
local news = chain .. ' ' .. header.w .. ' y ' .. facts .. '\n' .. body
bytes, pinned = bytes + #news, pinned + tokens
if bytes > bytes_max then return {'bytes'} end
local full = refusal_of_room(bytes - tonumber(header.b), ARGV[11])
if full then return full end
if pinned > pinned_max then return {'pinned', text(pinned)} end
local change = {conversation = conversation, activity = KEYS[3], record = record,
  generation = header.g, version = tonumber(header.v) + 1, chain = chain, bytes = bytes,
  bytes_before = tonumber(header.b), expiry = header.e}
local fields = {place, news, 'p', text(pinned), 'y', place, 'sc', through_id .. ' ' .. text(covered)}
if blank then fields[#fields + 1], fields[#fields + 2] = before, blank end
return commit(change, fields, now_s, is_sparse(newest + 1, header.n) and '1' or '0')
