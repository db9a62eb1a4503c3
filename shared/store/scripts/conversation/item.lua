-- One item.
-- @reads
-- @include entries, fields
-- KEYS: tenant, conversation
-- ARGV: key hash, item id
-- Reply: 'ok', entry, {g, v, e, t} | 'unauthorised' | 'unknown' | 'unknown_item'
local header = fields_of(KEYS[2], {'v', 'i:' .. ARGV[2], 'g', 'e', 't'})
if not header.v then return {'unknown'} end
local place = header['i:' .. ARGV[2]]
local entry = place and redis.call('HGET', KEYS[2], place)
if not entry or not is_item(entry) then return {'unknown_item'} end
return {'ok', entry, {header.g, header.v, header.e, header.t}}
