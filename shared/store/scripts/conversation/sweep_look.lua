-- Look at conversations of one shard: forget those that are no more, make the rows of the others right, and tell which
-- are worth compacting, and of which not all items have their terms.
-- @keyless
-- @include fields, members, sparse, terms
-- KEYS: activity index, rows, then conversations, then of each the sets of its user and its agent, where ARGV says some
-- ARGV: of each conversation, in the same order, its id, and the user and the agent that its row is believed to say
--       ('' for nobody)
-- Reply: 'ok', how many were forgotten, what the others take, {ids worth compacting}, {ids that lack terms},
--        {id, user, agent, …}: to be forgotten when this is called with these,
--        {ids} whose rows say others than they do themselves, to be repaired
-- A conversation that expires goes by itself; its places in the indexes have to be taken away, and what there is
-- without a version, which is what a creation leaves behind that ended half-way.
local gone, gone_keys, leaving, lines, sparse, lacking, bytes = {}, {}, {}, {}, {}, {}, 0
local unnamed, astray, ids, sets, set_at = {}, {}, {}, nil, 3 + #ARGV / 3
for i = 1, #ARGV, 3 do ids[#ids + 1] = ARGV[i] end
local rows = redis.call('HMGET', KEYS[2], unpack(ids))
for i, id in ipairs(ids) do
  local header = fields_of(KEYS[i + 2], {'v', 'o', 'n', 'b', 'c', 'e', 't', 'm', 'g', 'w', 'ti', unpack(OWNED)})
  local owned, user, agent = select(7, read_row(rows[i] or '')) or NOBODY, ARGV[3 * i - 1], ARGV[3 * i]
  sets, set_at = sets_of(KEYS, set_at, user, agent)
  if not header.v and refusal_of_owners(owned, user, agent) then
    for _, part in ipairs({id, owned.us, owned.ag}) do unnamed[#unnamed + 1] = part end
  elseif not header.v then
    gone[#gone + 1], gone_keys[#gone_keys + 1] = id, KEYS[i + 2]
    for _, set in ipairs(sets) do leaving[#leaving + 1] = {set, id} end
  else
    bytes = bytes + tonumber(header.b)
    -- An expiry that was to change may have been taken away (change.lua).
    if header.e ~= '0' then redis.call('EXPIRE', KEYS[i + 2], header.e, 'NX') end
    if refusal_of_owners(owned, header.us or '', header.ag or '') then
      astray[#astray + 1] = id
    else
      lines[#lines + 1] = id
      lines[#lines + 1] = row(header.c, header.e, header.t, header.b, header.m, header)
    end
    if is_sparse(tonumber(header.v) - tonumber(header.o or 0), tonumber(header.n)) then sparse[#sparse + 1] = id end
    if not is_indexed(header) then lacking[#lacking + 1] = id end
  end
end
if #lines > 0 then redis.call('HSET', KEYS[2], unpack(lines)) end
if #gone > 0 then
  redis.call('UNLINK', unpack(gone_keys))
  for _, each in ipairs(leaving) do redis.call('ZREM', unpack(each)) end
  redis.call('HDEL', KEYS[2], unpack(gone))
  redis.call('ZREM', KEYS[1], unpack(gone))
end
return {'ok', text(#gone), text(bytes), sparse, lacking, unnamed, astray}
