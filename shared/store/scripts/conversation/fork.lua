-- Copy a conversation up to and including one of its items: a new conversation with a history of its own.
-- @include adding, change, entries, fields, sparse, terms_changed
-- KEYS: tenant, conversation, activity index, rows (both of the fork), fork, where to build it, the sets of the fork's
--       user and agent if it has them,
--       record (only with an Idempotency-Key), what is left of the fork if it was deleted (only with one),
--       books of the conversation's user and agent
-- ARGV: key hash, seed, fingerprint, record_s, expected versions, now_us, id of the fork, shards,
--       id of the last item ('' for all there is), metadata ('' for the conversation's own), generation of the fork,
--       tenant_bytes_max, how many entries share a field of kept counts, id of the conversation,
--       whom its caller believes to be the conversation's user and agent ('' for nobody), '1' if the fork has another
--       agent, which follows,
--       then the encodings whose counts may be kept, then what whose.lua takes of the conversation
-- Reply: 'ok', seed, generation, version, chain hash, created_at, metadata, expiry and last use of the conversation,
--        what told.lua tells of the fork, {user, agent} of it
--        | 'owner', user, agent: of the conversation, where they are not whom its caller believes
--        | 'unauthorised' | 'erasing' | 'shards', how many | 'reused' | 'again', seed | 'unknown'
--        | 'moved', generation, version, chain hash | 'after' | 'tenant_bytes', limit
--        | 'slow', …: as whose.lua
-- The user of a fork is that of its conversation: what is a user's own can be found by the user.
-- Entries that are kept keep their places, so all that names one stays right. What was deleted after the cut is as
-- blank in the fork; the entry that says so is not needed, because nobody holds the fork from before the deletion.
-- It is built under another name, and gets its own with the last write; what an attempt left there that ended half-way
-- is overwritten by the next.
local conversation, fork, side = KEYS[2], KEYS[5], KEYS[6]
local after, generation, block_entries, FIRST_ENCODING = ARGV[9], ARGV[11], tonumber(ARGV[13]), 19
local owned = {us = ARGV[15], ag = ARGV[17] == '1' and ARGV[18] or ARGV[16], c = now_s, cu = string.sub(now_us, -6)}
local joins, record_at = sets_of(KEYS, 7, owned.us, owned.ag)
local record, left_of_fork = KEYS[record_at], KEYS[record_at + 1]
local kept, refused = look_back(record, {})
if refused then return refused end
if kept and kept[2] ~= seed then return {'again', kept[2]} end

local header = fields_of(conversation,
  {'v', 'h', 'n', 'w', 'b', 'p', 'pin', 'o', 'd', 'y', 'e', 'm', 'g', 't', 'i:' .. after, 'x', 'r', 's',
  'ti', 'to', 'tq', 'td', 'us', 'ag'})
-- The id of the fork comes from the seed: where it is or was, this very attempt made it and its answer was lost.
local made = fields_of(fork, and_told({'g', 'v', 'h', 'c', 'm'}))
local fenced = refusal_of_erasing(header.us, made.us)
if fenced then return fenced end
if made.g then
  return with_owners(
    {'ok', seed, made.g, made.v, made.h, made.c, made.m, header.e or '0', header.t or '0', told_of(made)}, made)
elseif kept and redis.call('EXISTS', left_of_fork) == 1 then
  local texts = {v = '0', m = ARGV[10] ~= '' and ARGV[10] or NO_METADATA, f = ARGV[14]}
  return with_owners(with_texts(kept, texts), made)
elseif not header.v then
  return {'unknown'}
elseif has_moved(expected, header) then
  return moved(header)
elseif after ~= '' and not header['i:' .. after] then
  return {'after'}
end
local wrong = refusal_of_owners(header, ARGV[15], ARGV[16])
if wrong then return wrong end
redis.call('COPY', conversation, side, 'REPLACE')

local chain, live, written, bytes = header.h, tonumber(header.n), tonumber(header.w), tonumber(header.b)
local pinned, pins, deleted, summary = tonumber(header.p), header.pin, tonumber(header.d or 0), header.y
local expiry, metadata = header.e, ARGV[10] ~= '' and ARGV[10] or header.m
local removed, gone = tonumber(header.o or 0), header.x
local results, saved = tonumber(header.r or 0), tonumber(header.s or 0)
local newest = tonumber(header.v) - removed
-- The place of an item that compaction took out lies between two others.
local last = after ~= '' and math.floor(tonumber(header['i:' .. after])) or newest

-- What does not belong to the fork; HDEL takes as many fields at once as unpack can hold.
local doomed = {'last', 'im', 'us', 'ag', 'cu'}
local function flush()
  if #doomed > 0 then redis.call('HDEL', side, unpack(doomed)) end
  doomed = {}
end
local function doom(field)
  doomed[#doomed + 1] = field
  if #doomed == UNPACK_MAX then flush() end
end

local function cut()
  local kept_until, live_tokens = last == 0 and 0 or nil, 0
  if last == 0 then chain = '' end
  walk(conversation, last, newest, 1, chunk_for(bytes, newest, newest - last + 1), function(seq, entry)
    local entry_chain, preceding, kind = string.match(entry, '^(%x+) (%d+) (%S)')
    if seq == last then
      chain = entry_chain
      if kind ~= 'x' then kept_until = tonumber(preceding) + (is_item(entry) and tokens_of(entry) or 0) end
      return false
    end
    -- Behind a blank, whose own tokens nobody knows any more, what precedes the next entry tells.
    kept_until = kept_until or tonumber(preceding)
    bytes = bytes - #entry
    doom(text(seq))
    if kind == 'x' then
      doom('i:' .. string.match(entry, '%["([^"]*)"%]'))
    elseif kind == 'y' then
      -- The one before it is blank already: up to the cut there is none.
      pinned, summary = pinned - tokens_of(entry), ''
      doom('sc')
    elseif is_item(entry) then
      live, live_tokens = live - 1, live_tokens + tokens_of(entry)
      if kind == 's' then
        pinned = pinned - tokens_of(entry)
      elseif kind == 'o' then
        results, saved = results - 1, saved - saved_of(entry)
      end
      doom('i:' .. id_of(entry))
    end
  end)
  -- Of the tokens written behind the cut, those of no live item are deleted ones.
  deleted = deleted - (written - kept_until - live_tokens)
  written = kept_until
end

if last < newest then
  cut()
  local left = {}
  for pin in string.gmatch(pins, '%d+') do
    if tonumber(pin) <= last then left[#left + 1] = pin end
  end
  pins = table.concat(left, ',')
  local kept_gone = {}
  for gone_id, place in string.gmatch(gone or '', '([^ ]+) (%d+);') do
    if tonumber(place) > last then
      doom('i:' .. gone_id)
      bytes = bytes - gone_bytes(gone_id)
    else
      kept_gone[#kept_gone + 1] = gone_id .. ' ' .. place .. ';'
    end
  end
  gone = gone and table.concat(kept_gone)
  -- Counts kept for places that the fork will give to other entries.
  for i = FIRST_ENCODING, #ARGV do
    for block = math.floor((last + 1) / block_entries), math.floor(newest / block_entries) do
      doom('q:' .. ARGV[i] .. ':' .. text(block))
    end
  end
end
local terms_fields = {}
bytes = bytes + cut_terms(conversation, header, last, generation, written, function(name, value)
  terms_fields[#terms_fields + 1], terms_fields[#terms_fields + 2] = name, value
end, doom)
-- What its conversation did is nothing that the fork was asked for.
each_batch(conversation, function(name)
  doom(name)
  bytes = bytes - BATCH_BYTES
end)
local full = refusal_of_room(bytes, ARGV[12])
if full then
  redis.call('UNLINK', side)
  return full
end
flush()
local version = text(last + removed)
local fields = {'g', generation, 'v', version, 'h', chain, 'n', text(live), 'w', text(written), 'b', text(bytes),
  'p', text(pinned), 'pin', pins, 'd', text(deleted), 'c', now_s, 't', now_s, 'm', metadata,
  'f', ARGV[14]}
local function set(name, value)
  fields[#fields + 1] = name
  fields[#fields + 1] = value
end
if summary then set('y', summary) end
if header.r then set('r', text(math.max(0, results))) end
if header.s then set('s', text(math.max(0, saved))) end
if gone then set('x', gone) end
if owned.us ~= '' then set('us', owned.us) end
if owned.ag ~= '' then set('ag', owned.ag) end
if #joins > 0 then set('cu', owned.cu) end
for _, part in ipairs(terms_fields) do fields[#fields + 1] = part end
redis.call('HSET', side, unpack(fields))
if expiry ~= '0' then redis.call('EXPIRE', side, expiry) end
local reply = {'ok', seed, generation, version, chain, now_s, metadata, expiry, header.t,
  told_of({n = live, w = written, d = deleted, b = text(bytes), t = now_s, e = expiry, f = ARGV[14]})}
remember(record, fingerprint, record_s, without_texts(reply, metadata, ARGV[14]))
charge(conversation_id, 0, bytes)
local line = row(now_s, expiry, now_s, text(bytes), metadata, owned)
redis.call('ZADD', KEYS[3], now_us, conversation_id)
redis.call('HSET', KEYS[4], conversation_id, PENDING .. line)
join(joins, conversation_id, owned)
redis.call('RENAME', side, fork)
redis.pcall('HSET', KEYS[4], conversation_id, line)
return with_owners(reply, owned)
