-- Documents have changed: what is kept of them is outdated from now on, in every instance and in every load under way.
-- @keyless
-- @include keeping
-- KEYS: marks of the scope
-- ARGV: now_ms, then paths
-- Reply: 'ok', how many of them anything was kept of
local found = redis.call('HMGET', KEYS[1], unpack(ARGV, 2))
local fields = {}
for i, mark in ipairs(found) do
  if mark then
    fields[#fields + 1] = ARGV[i + 1]
    fields[#fields + 1] = outdated(mark, ARGV[1])
  end
end
if #fields > 0 then redis.call('HSET', KEYS[1], unpack(fields)) end
return {'ok', text(#fields / 2)}
