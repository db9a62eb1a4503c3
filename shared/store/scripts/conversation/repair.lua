-- Make the row of one conversation right, or take away its place in the indexes when there is none.
-- @keyless
-- @include fields, index
-- KEYS: conversation, activity index, rows
-- ARGV: id
-- Reply: 'ok', '1' if it is there
local header = fields_of(KEYS[1], {'v', 'b', 'c', 'e', 't', 'm'})
if header.v then
  redis.call('HSET', KEYS[3], ARGV[1], row(header.c, header.e, header.t, header.b, header.m))
  return {'ok', '1'}
end
redis.call('UNLINK', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
return {'ok', '0'}
