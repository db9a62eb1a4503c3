-- Remove a conversation, its items and its place in the indexes.
-- KEYS: tenant, conversation, activity index, metadata index
-- ARGV: key hash, conversation id
-- Reply: 'ok' | 'unauthorised' | 'unknown'
if not is_authorised() then return {'unauthorised'} end
local removed = redis.call('UNLINK', KEYS[2])
redis.call('ZREM', KEYS[3], ARGV[2])
redis.call('HDEL', KEYS[4], ARGV[2])
if removed == 0 then return {'unknown'} end
return {'ok'}
