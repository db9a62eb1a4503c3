-- One page of items, deleted ones and other entries skipped.
-- @reads
-- @include entries
-- KEYS: tenant, conversation
-- ARGV: key hash, id to start after ('' for none), order ('asc' or 'desc'), limit, reply_bytes_max
-- Reply: 'ok', '1' if there are more, {g, v, e, t}, entries | 'unauthorised' | 'unknown' | 'after'
local after, limit, bytes_max = ARGV[2], tonumber(ARGV[4]), tonumber(ARGV[5])
local header = redis.call('HMGET', KEYS[2], 'v', 'b', 'e', 't', 'i:' .. after, 'g', 'o')
if not header[1] then return {'unknown'} end
if after ~= '' and not header[5] then return {'after'} end
local newest = tonumber(header[1]) - tonumber(header[7] or 0)
local step = ARGV[3] == 'asc' and 1 or -1
local from = step == 1 and 1 or newest
if after ~= '' then
  -- The place of an item that compaction took out lies between two others.
  local at = tonumber(header[5])
  from = step == 1 and math.floor(at) + 1 or math.ceil(at) - 1
end
local to = step == 1 and newest or 1
local entries, size, more = {}, 0, '0'
walk(KEYS[2], from, to, step, chunk_for(tonumber(header[2]), newest, limit + 8), function(_, entry)
  if not is_item(entry) then return false end
  size = size + #entry
  if #entries == limit or (size > bytes_max and #entries > 0) then
    more = '1'
    return true
  end
  entries[#entries + 1] = entry
end)
return {'ok', more, {header[6], header[1], header[3], header[4]}, entries}
