-- Start a conversation's expiry anew after a read. It may come late or twice: the longest life wins.
-- @include index
-- KEYS: tenant, conversation, metadata index
-- ARGV: key hash, now_s, conversation id
local header = redis.call('HMGET', KEYS[2], 'e', 't', 'c', 'm')
if not header[1] or header[1] == '0' or tonumber(header[2]) >= tonumber(ARGV[2]) then return {'ok'} end
redis.call('HSET', KEYS[2], 't', ARGV[2])
redis.call('EXPIRE', KEYS[2], header[1])
redis.call('HSET', KEYS[3], ARGV[3], row(header[3], header[1], ARGV[2], header[4]))
return {'ok'}
