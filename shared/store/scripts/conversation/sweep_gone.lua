-- Which conversations are no more: for a sweep of a store that takes no writes but those that make room.
-- @keyless
-- @reads
-- @include index
-- KEYS: rows, then conversations
-- ARGV: their ids, in the same order
-- Reply: 'ok', {id, user, agent, …}, as their rows say ('' for nobody)
-- What a creation left that ended half-way is something: only a script can look at it and take it away in one step.
local gone = {}
local rows = redis.call('HMGET', KEYS[1], unpack(ARGV))
for i, id in ipairs(ARGV) do
  if redis.call('EXISTS', KEYS[i + 1]) == 0 then
    local owned = select(7, read_row(rows[i] or '')) or NOBODY
    for _, part in ipairs({id, owned.us, owned.ag}) do gone[#gone + 1] = part end
  end
end
return {'ok', gone}
