-- What a tenant has used and reserved in this day and month, and what is stored for it.
-- @reads
-- @include shown
-- KEYS: tenant, live reservations, the activity index of each shard
-- ARGV: key hash, shards
-- Reply: as shown.lua, with {bytes of conversations, what they may take ('' for the default), how many there are,
--        about} | 'shards', how many
if ARGV[2] ~= owner.shards then return {'shards', owner.shards} end
local conversations = 0
for i = 3, #KEYS do conversations = conversations + redis.call('ZCARD', KEYS[i]) end
local stored = {text(math.max(0, owner.bytes)), owner.bytes_max or '', text(conversations)}
local now_s = now_seconds()
local _, this_month = windows_at(now_s)
local book = open_tenant(KEYS[1], now_s, {'u:' .. this_month})
-- What has run out is not reserved any more, though nobody has given it back yet. This script writes nothing.
local ids = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', text(now_s))
for first = 1, #ids, TOGETHER do
  local fields = {}
  for i = first, math.min(first + TOGETHER - 1, #ids) do fields[#fields + 1] = 'r:' .. ids[i] end
  for _, value in ipairs(redis.call('HMGET', KEYS[1], unpack(fields))) do
    local found = parse(value)
    if found and found.state == 'live' and found.ends <= now_s then give_back(book, found) end
  end
end
return shown_usage(book, stored)
