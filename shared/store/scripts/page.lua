-- One page of items, deleted ones and other entries skipped.
-- KEYS: tenant, conversation
-- ARGV: key hash, id to start after ('' for none), order ('asc' or 'desc'), limit, reply_bytes_max
-- Reply: 'ok', '1' if there are more, {g, v, e, t}, entries | 'unauthorised' | 'unknown' | 'after'
local after, limit, bytes_max = ARGV[2], tonumber(ARGV[4]), tonumber(ARGV[5])
local header = redis.call('HMGET', KEYS[2], 'v', 'b', 'e', 't', 'i:' .. after, 'g')
if not header[1] then return {'unknown'} end
if after ~= '' and not header[5] then return {'after'} end
local version = tonumber(header[1])
local step = ARGV[3] == 'asc' and 1 or -1
local from = step == 1 and 1 or version
if after ~= '' then from = tonumber(header[5]) + step end
local to = step == 1 and version or 1
local entries, size, more = {}, 0, '0'
walk(KEYS[2], from, to, step, chunk_for(tonumber(header[2]), version, limit + 8), function(_, entry)
  if not is_item(entry) then return false end
  size = size + #entry
  if #entries == limit or (size > bytes_max and #entries > 0) then
    more = '1'
    return true
  end
  entries[#entries + 1] = entry
end)
return {'ok', more, {header[6], header[1], header[3], header[4]}, entries}
