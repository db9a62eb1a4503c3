-- Which conversations are no more: for a sweep of a store that takes no writes but those that make room.
-- @keyless
-- @reads
-- @include fields
-- KEYS: conversations
-- ARGV: their ids, in the same order
-- Reply: 'ok', {ids}
local gone = {}
for i, id in ipairs(ARGV) do
  if not fields_of(KEYS[i], {'v'}).v then gone[#gone + 1] = id end
end
return {'ok', gone}
