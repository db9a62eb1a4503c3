-- Blank the summary at once and write down that it is gone; contexts show the items again.
-- @include change, entries, fields, sparse, summarised
-- KEYS: tenant, conversation, activity index, rows, record (only with an Idempotency-Key)
-- ARGV: key hash, seed, fingerprint, record_s, expected versions, now_us, conversation id, shards
-- Reply: 'ok', seed, generation, version, chain hash, created_at, metadata, '1' if compaction is worth its while, what
--        told.lua tells of it, {user, agent}
--        | 'unauthorised' | 'erasing' | 'shards', how many | 'reused' | 'unknown' | 'unknown_summary'
--        | 'moved', generation, version, chain hash
-- The limit on entries does not hold here: a summary can be deleted once.
local conversation, record = KEYS[2], KEYS[5]
local wanted = and_told({'v', 'h', 'p', 'y', 'c', 'm', 'g', 'o'})
local kept, refused = look_back(record, wanted)
if refused then return refused end
local header = fields_of(conversation, wanted)
local fenced = refusal_of_erasing(header.us)
if fenced then return fenced end
local done = replayed(kept, header, header.c, header.m, '0', header.v and told_of(header))
if done then return with_owners(done, header) end
if not header.v then return {'unknown'} end
if has_moved(expected, header) then return moved(header) end
if not header.y or header.y == '' then return {'unknown_summary'} end
local entry = redis.call('HGET', conversation, header.y)
local version = tonumber(header.v) + 1
local entries = version - tonumber(header.o or 0)
local place = text(entries)
local chain = linked(header.h, place)
local blank = without_summary(entry)
local news = chain .. ' ' .. header.w .. ' - [' .. header.y .. ']\n'
local change = {conversation = conversation, activity = KEYS[3], record = record,
  generation = header.g, version = version, chain = chain, expiry = header.e,
  bytes = tonumber(header.b) - #entry + #blank + #news, bytes_before = tonumber(header.b), told = header,
  shown = header.m}
local fields = {header.y, blank, place, news, 'p', text(tonumber(header.p) - tokens_of(entry)), 'y', '', 'sc', ''}
return commit(change, fields, header.c, header.m, is_sparse(entries, header.n) and '1' or '0')
