-- Start a conversation's expiry anew after a read. It may come late or twice: the longest life wins.
-- @include fields, index
-- KEYS: tenant, conversation, metadata index
-- ARGV: key hash, now_s, conversation id
local header = fields_of(KEYS[2], {'e', 't', 'c', 'm'})
if not header.e or header.e == '0' or tonumber(header.t) >= tonumber(ARGV[2]) then return {'ok'} end
redis.call('HSET', KEYS[2], 't', ARGV[2])
redis.call('EXPIRE', KEYS[2], header.e)
redis.call('HSET', KEYS[3], ARGV[3], row(header.c, header.e, ARGV[2], header.m))
return {'ok'}
