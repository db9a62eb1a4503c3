-- Replace a conversation's metadata.
-- @include change, fields, sparse
-- KEYS: tenant, conversation, activity index, rows, record (only with an Idempotency-Key)
-- ARGV: key hash, seed, fingerprint, record_s, expected versions, now_us, conversation id, shards,
--       metadata, entries_max, bytes_max, tenant_bytes_max
-- Reply: 'ok', seed, generation, version, chain hash, created_at, '1' if compaction is worth its while
--        | 'unauthorised' | 'shards', how many | 'reused' | 'unknown' | 'moved', generation, version, chain hash
--        | 'entries' | 'bytes' | 'tenant_bytes', limit
local conversation, record = KEYS[2], KEYS[5]
local metadata, entries_max, bytes_max = ARGV[9], tonumber(ARGV[10]), tonumber(ARGV[11])
local wanted = {'v', 'h', 'w', 'b', 'e', 'c', 'g', 'o', 'n'}
local kept, refused = look_back(record, wanted)
if refused then return refused end
local header = fields_of(conversation, wanted)
local done = replayed(kept, header, header.c, '0')
if done then return done end
if not header.v then return {'unknown'} end
if has_moved(expected, header) then return moved(header) end

local version = tonumber(header.v) + 1
local entries = version - tonumber(header.o or 0)
if entries > entries_max then return {'entries'} end
local place = text(entries)
local chain = linked(header.h, place)
local news = chain .. ' ' .. header.w .. ' m []\n' .. metadata
local bytes = tonumber(header.b) + #news
if bytes > bytes_max then return {'bytes'} end
local full = refusal_of_room(#news, ARGV[12])
if full then return full end
local change = {conversation = conversation, activity = KEYS[3], rows = KEYS[4], record = record,
  generation = header.g, version = version, chain = chain, bytes = bytes, bytes_before = tonumber(header.b),
  expiry = header.e, created = header.c, metadata = metadata}
return commit(change, {place, news, 'm', metadata}, header.c, is_sparse(entries, header.n) and '1' or '0')
