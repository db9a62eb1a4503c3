-- Add the terms of items that were appended without them, those before what the index has; then tell what comes before.
-- @keyless
-- @include charge, entries, fields, index, terms_changed, text
-- KEYS: tenant, conversation, rows
-- ARGV: conversation id, shards, conversation_bytes_max, how many entries to tell and how many bytes at most,
--       and of what was told before: generation, lowest place, deleted tokens, the place from which on entries came,
--       then for each that has terms its place, id and terms
-- Reply: 'ok', '1' if the terms were added, generation, lowest place, deleted tokens, {place, entry, …} before it
--        | 'unknown' | 'bytes' | 'shards', how many
-- They are added where the index ends there, and nothing was deleted since they were told; it takes them all or none.
-- An entry comes however large it is.
local conversation, bytes_max, FIRST = KEYS[2], tonumber(ARGV[3]), 10
local header = fields_of(conversation,
  {'v', 'o', 'g', 'w', 'd', 'b', 'c', 'e', 't', 'm', 'ti', 'to', 'td', unpack(OWNED)})
if not header.v then return {'unknown'} end
local shards = redis.call('HGET', KEYS[1], 'shards') or '1'
if shards ~= ARGV[2] then return {'shards', shards} end
local newest, deleted = tonumber(header.v) - tonumber(header.o or 0), header.d or '0'
local index = growing_index(header, header.g, newest + 1)

-- The terms of ARGV as a block of their own, by *fields* that are to be set; returns how many bytes more that takes.
local function add_older(fields)
  local lines, terms = {}, 0
  for at = FIRST, #ARGV, 3 do
    lines[#lines + 1] = '\n' .. packed(tonumber(ARGV[at]), PLACE) .. ARGV[at + 2]
    terms = terms + count_of(ARGV[at + 2])
  end
  index.lowest = tonumber(ARGV[9])
  if #lines == 0 then return 0 end
  local older = {blocks = index.first - 1, block = table.concat(lines)}
  local size, name, was = #older.block, 't:' .. text(older.blocks), {}
  -- An index that was left behind may have had a block of that number: what this one lacks of it must not count for it.
  local names, buckets = buckets_of(conversation, older.blocks)
  for at, bucket in ipairs(buckets) do
    if bucket then was[names[at]] = bucket end
  end
  was[name] = redis.call('HGET', conversation, name) or nil
  local from = #fields
  size = size + close_block(older, fields)
  for at = from + 1, #fields, 2 do
    size = size - #(was[fields[at]] or '')
    was[fields[at]] = nil
  end
  for left, bucket in pairs(was) do
    fields[#fields + 1], fields[#fields + 2] = left, ''
    size = size - #bucket
  end
  index.first, index.from = index.first - 1, ARGV[FIRST + 1]
  index.items, index.terms = index.items + #lines, index.terms + terms
  return size
end

local added = '0'
if ARGV[6] == header.g and ARGV[7] == text(index.lowest) and ARGV[8] == deleted then
  local fields = {}
  local before = tonumber(header.b)
  local after = before + add_older(fields)
  if index.left_bytes then
    fields[#fields + 1], fields[#fields + 2] = 'td', ''
    after = after - index.left_bytes - #(header.td or '')
  end
  if after > bytes_max then return {'bytes'} end
  local told = written_index(index, header.g)
  for _, part in ipairs({'ti', told, 'to', index.block, 'b', text(after)}) do fields[#fields + 1] = part end
  charge(ARGV[1], before, after)
  redis.call('HSET', conversation, unpack(fields))
  -- The sum of the tenant's bytes goes by the row.
  redis.pcall('HSET', KEYS[3], ARGV[1], row(header.c, header.e, header.t, text(after), header.m, header))
  added = '1'
end
local older, size = {}, 0
local wanted, most = math.min(tonumber(ARGV[4]), index.lowest - 1), tonumber(ARGV[5])
walk(conversation, index.lowest - 1, 1, -1, chunk_for(tonumber(header.b), newest, wanted), function(place, entry)
  size = size + #entry
  if #older > 0 and (size > most or #older >= 2 * wanted) then return true end
  older[#older + 1], older[#older + 2] = text(place), entry
end)
return {'ok', added, header.g, text(index.lowest), deleted, older}
