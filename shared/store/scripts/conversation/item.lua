-- One item.
-- @reads
-- @include entries
-- KEYS: tenant, conversation
-- ARGV: key hash, item id
-- Reply: 'ok', entry, {g, v, e, t} | 'unauthorised' | 'unknown' | 'unknown_item'
local header = redis.call('HMGET', KEYS[2], 'v', 'i:' .. ARGV[2], 'g', 'e', 't')
if not header[1] then return {'unknown'} end
local entry = header[2] and redis.call('HGET', KEYS[2], header[2])
if not entry or not is_item(entry) then return {'unknown_item'} end
return {'ok', entry, {header[3], header[1], header[4], header[5]}}
