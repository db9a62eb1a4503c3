-- Look at conversations of one shard: forget those that are no more, make the rows of the others right, and tell which
-- are worth compacting, and of which not all items have their terms.
-- @keyless
-- @include fields, index, sparse, terms, text
-- KEYS: activity index, rows, then conversations
-- ARGV: the ids of the conversations, in the same order
-- Reply: 'ok', how many were forgotten, what the others take, {ids worth compacting}, {ids that lack terms}
-- A conversation that expires goes by itself; its places in the indexes have to be taken away, and what there is
-- without a version, which is what a creation leaves behind that ended half-way.
local gone, gone_keys, lines, sparse, lacking, bytes = {}, {}, {}, {}, {}, 0
for i, id in ipairs(ARGV) do
  local header = fields_of(KEYS[i + 2], {'v', 'o', 'n', 'b', 'c', 'e', 't', 'm', 'g', 'w', 'ti'})
  if not header.v then
    gone[#gone + 1], gone_keys[#gone_keys + 1] = id, KEYS[i + 2]
  else
    bytes = bytes + tonumber(header.b)
    -- An expiry that was to change may have been taken away (change.lua).
    if header.e ~= '0' then redis.call('EXPIRE', KEYS[i + 2], header.e, 'NX') end
    lines[#lines + 1] = id
    lines[#lines + 1] = row(header.c, header.e, header.t, header.b, header.m)
    if is_sparse(tonumber(header.v) - tonumber(header.o or 0), tonumber(header.n)) then sparse[#sparse + 1] = id end
    if not is_indexed(header) then lacking[#lacking + 1] = id end
  end
end
if #lines > 0 then redis.call('HSET', KEYS[2], unpack(lines)) end
if #gone > 0 then
  redis.call('UNLINK', unpack(gone_keys))
  redis.call('HDEL', KEYS[2], unpack(gone))
  redis.call('ZREM', KEYS[1], unpack(gone))
end
return {'ok', text(#gone), text(bytes), sparse, lacking}
