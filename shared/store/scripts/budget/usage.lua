-- What a tenant has used and reserved in this day and month.
-- @reads
-- @include budget
-- KEYS: tenant, live reservations
-- ARGV: key hash
-- Reply: 'ok', {four limits, '' for none}, {day, resets at, its window}, {month, resets at, its window}, usage by model
local now_s = now_seconds()
local book = open_book(KEYS[1], KEYS[2], now_s, {})
local limits = redis.call('HMGET', KEYS[1], LIMITS[1], LIMITS[2], LIMITS[3], LIMITS[4], 'u:' .. book.month)
for i, limit in ipairs(limits) do limits[i] = limit or '' end
local models = table.remove(limits)
-- What has run out is not reserved any more, though nobody has given it back yet. This script writes nothing.
for _, member in ipairs(redis.call('ZRANGEBYSCORE', book.live, '-inf', text(now_s))) do
  local tokens, usd, day, month = string.match(member, '^%S+ (%d+) (%d+) (%d+) (%d+)$')
  if day == book.day then add_to(book.windows[day], RESERVED, -tonumber(tokens), -tonumber(usd)) end
  if month == book.month then add_to(book.windows[month], RESERVED, -tonumber(tokens), -tonumber(usd)) end
end
local day_resets, month_resets = resets_at(now_s)
local function shown(name, resets)
  local numbers = {name, text(resets)}
  for i = 1, 6 do numbers[#numbers + 1] = text(book.windows[name][i]) end
  return numbers
end
return {'ok', limits, shown(book.day, day_resets), shown(book.month, month_resets), models}
