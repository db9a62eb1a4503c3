-- What a conversation is, without its items.
-- @reads
-- KEYS: tenant, conversation
-- ARGV: key hash
-- Reply: 'ok', created_at, metadata, {g, v, e, t} | 'unauthorised' | 'unknown'
local header = redis.call('HMGET', KEYS[2], 'c', 'm', 'g', 'v', 'e', 't')
if not header[1] then return {'unknown'} end
return {'ok', header[1], header[2], {header[3], header[4], header[5], header[6]}}
