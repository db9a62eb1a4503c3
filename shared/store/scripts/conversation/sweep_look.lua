-- Look at conversations of one tenant: forget those that are no more, tell which are worth compacting.
-- @keyless
-- @include fields, sparse, text
-- KEYS: activity index, metadata index, then conversations
-- ARGV: the ids of the conversations, in the same order
-- Reply: 'ok', how many were forgotten, {ids worth compacting}
-- A conversation that expires goes by itself; its places in the indexes have to be taken away.
local gone, sparse = {}, {}
for i, id in ipairs(ARGV) do
  local header = fields_of(KEYS[i + 2], {'v', 'o', 'n'})
  if not header.v then
    gone[#gone + 1] = id
  elseif is_sparse(tonumber(header.v) - tonumber(header.o or 0), tonumber(header.n)) then
    sparse[#sparse + 1] = id
  end
end
if #gone > 0 then
  redis.call('ZREM', KEYS[1], unpack(gone))
  redis.call('HDEL', KEYS[2], unpack(gone))
end
return {'ok', text(#gone), sparse}
