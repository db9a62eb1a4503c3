-- Replace a conversation's metadata, change its expiry, or whose it is, or any of these at once.
-- @include change, fields, sparse
-- KEYS: tenant, conversation, activity index, rows, record (only with an Idempotency-Key), then for user and agent, of
--       those that change: the set of the new one, that of the one before, where there is one
-- ARGV: key hash, seed, fingerprint, record_s, expected versions, now_us, conversation id, shards,
--       metadata ('' for what it is), expiry ('' for what it is, '0' for never), entries_max, bytes_max,
--       tenant_bytes_max, '1' with an Idempotency-Key, whom its caller believes to be its user and its agent ('' for
--       nobody), '1' if it gets another user, which follows, '1' if it gets another agent, which follows
-- Reply: 'ok', seed, generation, version, chain hash, created_at, '1' if compaction is worth its while, metadata, what
--        told.lua tells of it, {user, agent}
--        | 'owner', user, agent: only where they change, and are not whom its caller believes
--        | 'unauthorised' | 'erasing' | 'shards', how many | 'reused' | 'unknown'
--        | 'moved', generation, version, chain hash
--        | 'entries' | 'bytes' | 'tenant_bytes', limit
local conversation, record = KEYS[2], ARGV[14] == '1' and KEYS[5] or nil
local changes_user, changes_agent = ARGV[17] == '1', ARGV[19] == '1'
local entries_max, bytes_max = tonumber(ARGV[11]), tonumber(ARGV[12])
local wanted = and_told({'v', 'h', 'c', 'g', 'o', 'm', 'cu'})
local kept, refused = look_back(record, wanted)
if refused then return refused end
local header = fields_of(conversation, wanted)
local fenced = refusal_of_erasing(header.us, ARGV[18])
if fenced then return fenced end
local done = replayed(kept, header, header.c, '0', header.m, header.v and told_of(header))
if done then return with_owners(done, header) end
if not header.v then return {'unknown'} end
if has_moved(expected, header) then return moved(header) end
local owned = {us = header.us or '', ag = header.ag or '', c = header.c, cu = header.cu}
if changes_user or changes_agent then
  local wrong = refusal_of_owners(header, ARGV[15], ARGV[16])
  if wrong then return wrong end
  if changes_user then owned.us = ARGV[18] end
  if changes_agent then owned.ag = ARGV[20] end
end
local joins, leaves, set_at = {}, {}, record and 6 or 5
for _, field in ipairs({'us', 'ag'}) do
  local before = header[field] or ''
  if owned[field] ~= before then
    if owned[field] ~= '' then joins[#joins + 1], set_at = KEYS[set_at], set_at + 1 end
    if before ~= '' then leaves[#leaves + 1], set_at = KEYS[set_at], set_at + 1 end
  end
end

local version = tonumber(header.v) + 1
local entries = version - tonumber(header.o or 0)
if entries > entries_max then return {'entries'} end
local place = text(entries)
local chain = linked(header.h, place)
local metadata, expiry = ARGV[9] ~= '' and ARGV[9] or header.m, ARGV[10] ~= '' and ARGV[10] or header.e
-- What is no item and has a capital is passed over by every release. Whose it became no entry tells: the log keeps what
-- was, and the conversation's fields say what is.
local what = ' O []\n'
if ARGV[9] ~= '' then
  what = ' m []\n' .. metadata
elseif ARGV[10] ~= '' then
  what = ' E [' .. expiry .. ']\n'
end
local news = chain .. ' ' .. header.w .. what
local bytes = tonumber(header.b) + #news
if bytes > bytes_max then return {'bytes'} end
local full = refusal_of_room(#news, ARGV[13])
if full then return full end
local change = {conversation = conversation, activity = KEYS[3], rows = KEYS[4], record = record,
  generation = header.g, version = version, chain = chain, bytes = bytes, bytes_before = tonumber(header.b),
  expiry = expiry, expiry_before = header.e, created = header.c, metadata = metadata, owned = owned, joins = joins,
  leaves = leaves, told = header, shown = metadata}
header.us, header.ag = owned.us, owned.ag
local fields = {place, news, 'm', metadata, 'e', expiry}
if changes_user then fields[#fields + 1], fields[#fields + 2] = 'us', owned.us end
if changes_agent then fields[#fields + 1], fields[#fields + 2] = 'ag', owned.ag end
return commit(change, fields, header.c,
  is_sparse(entries, header.n) and '1' or '0', metadata)
