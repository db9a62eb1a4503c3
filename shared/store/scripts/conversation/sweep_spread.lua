-- Move what no longer belongs into one shard of the indexes to the shard that it belongs into.
-- @keyless
-- @include index, text
-- KEYS: activity index and rows of the shard, activity index and rows of the other
-- ARGV: how many shards there will be, how many places of the index to pass over, how many to look at
-- Reply: 'ok', how many were looked at, how many of them stay
-- What stands in the other one already is newer.
local shards, offset, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local scored = redis.call('ZRANGE', KEYS[1], offset, offset + limit - 1, 'WITHSCORES')
local shard, ids, places = nil, {}, {}
for i = 1, #scored, 2 do
  local its_own = shard_of(scored[i], shards)
  shard = shard or its_own % (shards / 2)
  if its_own ~= shard then
    ids[#ids + 1] = scored[i]
    places[#places + 1] = scored[i + 1]
    places[#places + 1] = scored[i]
  end
end
if #ids > 0 then
  local rows, there, lines = redis.call('HMGET', KEYS[2], unpack(ids)), redis.call('HMGET', KEYS[4], unpack(ids)), {}
  for i, id in ipairs(ids) do
    if rows[i] and not there[i] then
      lines[#lines + 1] = id
      lines[#lines + 1] = rows[i]
    end
  end
  if #lines > 0 then redis.call('HSET', KEYS[4], unpack(lines)) end
  redis.call('ZADD', KEYS[3], 'GT', unpack(places))
  redis.call('HDEL', KEYS[2], unpack(ids))
  redis.call('ZREM', KEYS[1], unpack(ids))
end
return {'ok', text(#scored / 2), text(#scored / 2 - #ids)}
