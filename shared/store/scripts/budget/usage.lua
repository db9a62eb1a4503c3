-- What a tenant has used and reserved in this day and month, and what is stored for it.
-- @reads
-- @include reservation
-- KEYS: tenant, live reservations, the activity index of each shard
-- ARGV: key hash, shards
-- Reply: 'ok', {four limits, '' for none}, {day, resets at, its window}, {month, resets at, its window}, usage by
--        model, {bytes of conversations, what they may take ('' for the default), how many there are, about}
--        | 'shards', how many
if ARGV[2] ~= owner.shards then return {'shards', owner.shards} end
local conversations = 0
for i = 3, #KEYS do conversations = conversations + redis.call('ZCARD', KEYS[i]) end
local stored = {text(math.max(0, owner.bytes)), owner.bytes_max or '', text(conversations)}
local now_s = now_seconds()
local _, this_month = windows_at(now_s)
local book = open_book(KEYS[1], now_s, {'u:' .. this_month})
-- What has run out is not reserved any more, though nobody has given it back yet. This script writes nothing.
local ids = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', text(now_s))
for first = 1, #ids, EXPIRED_TOGETHER do
  local fields = {}
  for i = first, math.min(first + EXPIRED_TOGETHER - 1, #ids) do fields[#fields + 1] = 'r:' .. ids[i] end
  for _, value in ipairs(redis.call('HMGET', KEYS[1], unpack(fields))) do
    local found = parse(value)
    if found and found.state == 'live' and found.ends <= now_s then give_back(book, found) end
  end
end
local day_resets, month_resets = resets_at(now_s)
local function shown(name, resets)
  local numbers = {name, text(resets)}
  for i = 1, 6 do numbers[#numbers + 1] = text(window_of(book, name)[i]) end
  return numbers
end
local limits = {}
for i, name in ipairs(LIMITS) do limits[i] = book.fields[name] or '' end
local models = book.fields['u:' .. book.month] or ''
return {'ok', limits, shown(book.day, day_resets), shown(book.month, month_resets), models, stored}
