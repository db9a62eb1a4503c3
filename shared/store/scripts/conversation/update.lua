-- Replace a conversation's metadata.
-- @include batches, fields, index, once, sparse, text
-- KEYS: tenant, conversation, activity index, metadata index, record (only with an Idempotency-Key)
-- ARGV: key hash, seed, fingerprint, record_s, expected versions, now_us, conversation id,
--       metadata, entries_max, bytes_max
-- Reply: 'ok', seed, generation, version, created_at, '1' if compaction is worth its while
--        | 'unauthorised' | 'reused' | 'unknown' | 'moved', generation, version | 'entries' | 'bytes'
local conversation, record = KEYS[2], KEYS[5]
local seed, fingerprint, record_s, expected, now_us, id = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local metadata, entries_max, bytes_max = ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[10])
local now_s = string.sub(now_us, 1, -7)
local done = recall(record, fingerprint)
if done then return done end

local header = fields_of(conversation, {'v', 'h', 'w', 'b', 'e', 'c', 'g', 'r', 'o', 'n'})
if not header.v then return {'unknown'} end
local expiry, created, generation, recent = header.e, header.c, header.g, header.r
local known = version_after(recent, seed)
if known then return {'ok', seed, generation, known, created, '0'} end
if has_moved(expected, header.v) then return {'moved', generation, header.v} end

local version = tonumber(header.v) + 1
local entries = version - tonumber(header.o or 0)
if entries > entries_max then return {'entries'} end
local seq = text(entries)
local chain = string.sub(redis.sha1hex(header.h .. batch_of(seed) .. seq), 1, 16)
local news = chain .. ' ' .. header.w .. ' m []\n' .. metadata
local bytes = tonumber(header.b) + #news
if bytes > bytes_max then return {'bytes'} end
redis.call('HSET', conversation, seq, news, 'v', text(version), 'h', chain, 'm', metadata, 'b', text(bytes),
  't', now_s, 'r', with_batch(recent, seed, text(version)))
if expiry ~= '0' then redis.call('EXPIRE', conversation, expiry) end
redis.call('ZADD', KEYS[3], now_us, id)
redis.call('HSET', KEYS[4], id, row(created, expiry, now_s, metadata))
return remember(record, fingerprint, record_s,
  {'ok', seed, generation, text(version), created, is_sparse(entries, header.n) and '1' or '0'})
