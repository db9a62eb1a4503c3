-- Start a conversation's expiry anew after a read. It may come late or twice: the longest life wins.
-- @include fields, index
-- KEYS: tenant, conversation, rows
-- ARGV: key hash, now_s, conversation id, shards
-- Reply: 'ok' | 'unauthorised' | 'shards', how many
local now_s, id, shards = ARGV[2], ARGV[3], ARGV[4]
if shards ~= owner.shards then return {'shards', owner.shards} end
local header = fields_of(KEYS[2], and_owned({'v', 'e', 't', 'c', 'm', 'b'}))
if not header.v or header.e == '0' or tonumber(header.t) >= tonumber(now_s) then return {'ok'} end
redis.call('EXPIRE', KEYS[2], header.e)
redis.call('HSET', KEYS[3], id, row(header.c, header.e, now_s, header.b, header.m, header))
redis.call('HSET', KEYS[2], 't', now_s)
return {'ok'}
