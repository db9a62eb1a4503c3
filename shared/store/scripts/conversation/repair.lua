-- Make the row of one conversation right, or take away its places in the indexes when there is none.
-- @keyless
-- @include fields, index
-- KEYS: conversation, then activity index and rows, of each shard it may stand in, its own first
-- ARGV: id
-- Reply: 'ok', '1' if it is there
local header = fields_of(KEYS[1], {'v', 'b', 'c', 'e', 't', 'm'})
if header.v then
  -- An expiry that was to change may have been taken away (change.lua).
  if header.e ~= '0' then redis.call('EXPIRE', KEYS[1], header.e, 'NX') end
  redis.call('HSET', KEYS[3], ARGV[1], row(header.c, header.e, header.t, header.b, header.m))
  return {'ok', '1'}
end
redis.call('UNLINK', KEYS[1])
for i = 2, #KEYS, 2 do
  redis.call('HDEL', KEYS[i + 1], ARGV[1])
  redis.call('ZREM', KEYS[i], ARGV[1])
end
return {'ok', '0'}
