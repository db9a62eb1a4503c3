-- One page of items, deleted ones and other entries skipped.
-- @reads
-- @include entries, fields
-- KEYS: tenant, conversation
-- ARGV: key hash, id to start after ('' for none), order ('asc' or 'desc'), limit, reply_bytes_max
-- Reply: 'ok', '1' if there are more, {g, v, e, t}, entries | 'unauthorised' | 'unknown' | 'after'
local after, limit, bytes_max = ARGV[2], tonumber(ARGV[4]), tonumber(ARGV[5])
local header = fields_of(KEYS[2], {'v', 'b', 'e', 't', 'i:' .. after, 'g', 'o'})
if not header.v then return {'unknown'} end
if after ~= '' and not header['i:' .. after] then return {'after'} end
local newest = tonumber(header.v) - tonumber(header.o or 0)
local step = ARGV[3] == 'asc' and 1 or -1
local from = step == 1 and 1 or newest
if after ~= '' then
  -- The place of an item that compaction took out lies between two others.
  local at = tonumber(header['i:' .. after])
  from = step == 1 and math.floor(at) + 1 or math.ceil(at) - 1
end
local to = step == 1 and newest or 1
local entries, size, more = {}, 0, '0'
walk(KEYS[2], from, to, step, chunk_for(tonumber(header.b), newest, limit + 8), function(_, entry)
  if not is_item(entry) then return false end
  size = size + #entry
  if #entries == limit or (size > bytes_max and #entries > 0) then
    more = '1'
    return true
  end
  entries[#entries + 1] = entry
end)
return {'ok', more, {header.g, header.v, header.e, header.t}, entries}
