-- Blank an item's content at once and write down that it is gone.
-- @include batches, entries, fields, once, sparse
-- KEYS: tenant, conversation, activity index, record (only with an Idempotency-Key)
-- ARGV: key hash, seed, fingerprint, record_s, expected versions, now_us, conversation id, item id
-- Reply: 'ok', seed, generation, version, created_at, metadata, '1' if compaction is worth its while
--        | 'unauthorised' | 'reused' | 'unknown' | 'unknown_item' | 'moved', generation, version
-- The limit on entries does not hold here: an item can be deleted once, so deletions are bounded by it already.
local conversation, record = KEYS[2], KEYS[4]
local seed, fingerprint, record_s, expected, now_us, id = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local done = recall(record, fingerprint)
if done then return done end

local header = fields_of(conversation,
  {'v', 'h', 'n', 'w', 'b', 'p', 'pin', 'e', 'c', 'm', 'i:' .. ARGV[8], 'd', 'g', 'r', 'o'})
if not header.v then return {'unknown'} end
local generation, recent = header.g, header.r
local known = version_after(recent, seed)
if known then return {'ok', seed, generation, known, header.c, header.m, '0'} end
if has_moved(expected, header.v) then return {'moved', generation, header.v} end
local target = header['i:' .. ARGV[8]]
local entry = target and redis.call('HGET', conversation, target)
if not entry or not is_item(entry) then return {'unknown_item'} end
local version = tonumber(header.v) + 1
local entries, live = version - tonumber(header.o or 0), tonumber(header.n) - 1
local seq = text(entries)
local chain = string.sub(redis.sha1hex(header.h .. batch_of(seed) .. seq), 1, 16)
local blank = string.match(entry, '^%x+ %d+ ') .. 'x ["' .. ARGV[8] .. '"]\n'
local news = chain .. ' ' .. header.w .. ' - [' .. target .. ']\n'
local tokens = tokens_of(entry)
local pinned, pins = tonumber(header.p), header.pin
if kind_of(entry) == 's' then
  pinned = pinned - tokens
  local left = {}
  for pin in string.gmatch(pins, '%d+') do
    if pin ~= target then left[#left + 1] = pin end
  end
  pins = table.concat(left, ',')
end
redis.call('HSET', conversation, target, blank, seq, news, 'v', text(version), 'h', chain,
  'n', text(live), 'b', text(tonumber(header.b) - #entry + #blank + #news),
  'p', text(pinned), 'pin', pins, 'd', text(tonumber(header.d or 0) + tokens), 't', string.sub(now_us, 1, -7),
  'r', with_batch(recent, seed, text(version)))
if header.e ~= '0' then redis.call('EXPIRE', conversation, header.e) end
redis.call('ZADD', KEYS[3], now_us, id)
return remember(record, fingerprint, record_s,
  {'ok', seed, generation, text(version), header.c, header.m, is_sparse(entries, live) and '1' or '0'})
