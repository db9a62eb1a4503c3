-- Blank an item's content at once and write down that it is gone.
-- @include change, entries, fields, sparse, summarised, terms_changed
-- KEYS: tenant, conversation, activity index, rows, record (only with an Idempotency-Key)
-- ARGV: key hash, seed, fingerprint, record_s, expected versions, now_us, conversation id, shards, item id
-- Reply: 'ok', seed, generation, version, chain hash, created_at, metadata, '1' if compaction is worth its while,
--        '1' if the summary stands for the item as well, what told.lua tells of it, {user, agent}
--        | 'unauthorised' | 'erasing' | 'shards', how many | 'reused' | 'unknown' | 'unknown_item'
--        | 'moved', generation, version, chain hash
-- The limit on entries does not hold here: an item can be deleted once, so deletions are bounded by it already.
local conversation, record, item_id = KEYS[2], KEYS[5], ARGV[9]
local wanted = and_told({'v', 'h', 'p', 'pin', 'c', 'm', 'i:' .. item_id, 'g', 'o', 'y', 'sc', 'ti', 'to', 'tq'})
local kept, refused = look_back(record, wanted)
if refused then return refused end
local header = fields_of(conversation, wanted)
local fenced = refusal_of_erasing(header.us)
if fenced then return fenced end
local target = header['i:' .. item_id]
local told = is_summarised(conversation, header.y, target) and '1' or '0'
local done = replayed(kept, header, header.c, header.m, '0', told, header.v and told_of(header))
if done then return with_owners(done, header) end
if not header.v then return {'unknown'} end
if has_moved(expected, header) then return moved(header) end
local entry = target and redis.call('HGET', conversation, target)
if not entry or not is_item(entry) then return {'unknown_item'} end
local version = tonumber(header.v) + 1
local entries, live = version - tonumber(header.o or 0), tonumber(header.n) - 1
local place = text(entries)
local chain = linked(header.h, place)
local blank = string.match(entry, '^%x+ %d+ ') .. 'x ["' .. item_id .. '"]\n'
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
local change = {conversation = conversation, activity = KEYS[3], record = record,
  generation = header.g, version = version, chain = chain, expiry = header.e,
  bytes = tonumber(header.b) - #entry + #blank + #news, bytes_before = tonumber(header.b),
  told = {n = text(live), w = header.w, d = text(tonumber(header.d or 0) + tokens), f = header.f,
    us = header.us, ag = header.ag}, shown = header.m}
local fields = {target, blank, place, news, 'n', text(live), 'p', text(pinned), 'pin', pins, 'd', change.told.d}
if told == '1' and kind_of(entry) ~= 's' then
  local covered, id = covered_by(header)
  if covered then fields[#fields + 1], fields[#fields + 2] = 'sc', id .. ' ' .. text(covered - tokens) end
end
change.bytes = change.bytes + remove_terms(conversation, header, tonumber(target), fields)
return commit(change, fields, header.c, header.m, is_sparse(entries, live) and '1' or '0', told)
