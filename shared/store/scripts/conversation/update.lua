-- Replace a conversation's metadata, or change its expiry, or both.
-- @include change, fields, sparse
-- KEYS: tenant, conversation, activity index, rows, record (only with an Idempotency-Key)
-- ARGV: key hash, seed, fingerprint, record_s, expected versions, now_us, conversation id, shards,
--       metadata ('' for what it is), expiry ('' for what it is, '0' for never), entries_max, bytes_max,
--       tenant_bytes_max
-- Reply: 'ok', seed, generation, version, chain hash, created_at, '1' if compaction is worth its while, metadata, what
--        told.lua tells of it
--        | 'unauthorised' | 'shards', how many | 'reused' | 'unknown' | 'moved', generation, version, chain hash
--        | 'entries' | 'bytes' | 'tenant_bytes', limit
local conversation, record = KEYS[2], KEYS[5]
local entries_max, bytes_max = tonumber(ARGV[11]), tonumber(ARGV[12])
local wanted = and_told({'v', 'h', 'c', 'g', 'o', 'm'})
local kept, refused = look_back(record, wanted)
if refused then return refused end
local header = fields_of(conversation, wanted)
local done = replayed(kept, header, header.c, '0', header.m, header.v and told_of(header))
if done then return done end
if not header.v then return {'unknown'} end
if has_moved(expected, header) then return moved(header) end

local version = tonumber(header.v) + 1
local entries = version - tonumber(header.o or 0)
if entries > entries_max then return {'entries'} end
local place = text(entries)
local chain = linked(header.h, place)
local is_expiry = ARGV[9] == ''
local metadata, expiry = is_expiry and header.m or ARGV[9], ARGV[10] ~= '' and ARGV[10] or header.e
-- What is no item and has a capital is passed over by every release.
local news = chain .. ' ' .. header.w .. (is_expiry and ' E [' .. expiry .. ']\n' or ' m []\n' .. metadata)
local bytes = tonumber(header.b) + #news
if bytes > bytes_max then return {'bytes'} end
local full = refusal_of_room(#news, ARGV[13])
if full then return full end
local change = {conversation = conversation, activity = KEYS[3], rows = KEYS[4], record = record,
  generation = header.g, version = version, chain = chain, bytes = bytes, bytes_before = tonumber(header.b),
  expiry = expiry, expiry_before = header.e, created = header.c, metadata = metadata, told = header,
  shown = metadata}
return commit(change, {place, news, 'm', metadata, 'e', expiry}, header.c,
  is_sparse(entries, header.n) and '1' or '0', metadata)
