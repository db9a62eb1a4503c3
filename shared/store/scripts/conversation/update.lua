-- Replace a conversation's metadata.
-- @include change, fields, index, sparse, text
-- KEYS: tenant, conversation, activity index, metadata index, record (only with an Idempotency-Key)
-- ARGV: key hash, seed, fingerprint, record_s, expected versions, now_us, conversation id,
--       metadata, entries_max, bytes_max
-- Reply: 'ok', seed, generation, version, created_at, '1' if compaction is worth its while
--        | 'unauthorised' | 'reused' | 'unknown' | 'moved', generation, version | 'entries' | 'bytes'
local conversation, record = KEYS[2], KEYS[5]
local metadata, entries_max, bytes_max = ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[10])
local done = recall(record, fingerprint)
if done then return done end

local header = fields_of(conversation, {'v', 'h', 'w', 'b', 'e', 'c', 'g', 'r', 'o', 'n'})
if not header.v then return {'unknown'} end
local known = version_after(header.r)
if known then return {'ok', seed, header.g, known, header.c, '0'} end
if has_moved(expected, header.v) then return {'moved', header.g, header.v} end

local version = tonumber(header.v) + 1
local entries = version - tonumber(header.o or 0)
if entries > entries_max then return {'entries'} end
local place = text(entries)
local chain = linked(header.h, place)
local news = chain .. ' ' .. header.w .. ' m []\n' .. metadata
local bytes = tonumber(header.b) + #news
if bytes > bytes_max then return {'bytes'} end
local change = {conversation = conversation, activity = KEYS[3], metadata = KEYS[4], record = record,
  generation = header.g, version = version, chain = chain, bytes = bytes, recent = header.r, expiry = header.e,
  row = row(header.c, header.e, now_s, metadata)}
return commit(change, {place, news, 'm', metadata}, header.c, is_sparse(entries, header.n) and '1' or '0')
