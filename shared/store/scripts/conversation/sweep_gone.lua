-- Which conversations are no more: for a sweep of a store that takes no writes but those that make room.
-- @keyless
-- @reads
-- KEYS: conversations
-- ARGV: their ids, in the same order
-- Reply: 'ok', {ids}
-- What a creation left that ended half-way is something: only a script can look at it and take it away in one step.
local gone = {}
for i, id in ipairs(ARGV) do
  if redis.call('EXISTS', KEYS[i]) == 0 then gone[#gone + 1] = id end
end
return {'ok', gone}
