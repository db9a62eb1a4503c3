-- Read, and set aside what the model call that it is read for may use. Besides what read.lua takes:
-- @include budget, reading
-- KEYS: …, live reservations, records
-- ARGV: …, id, life_s, kept_s, live_max, model ('-' for none), input tokens, output tokens
-- Reply: as read.lua, then {reply of reserve in budget.lua} | what it refuses | 'unpriced'
local live, records = KEYS[#KEYS - 1], KEYS[#KEYS]
local found = redis.call('HMGET', KEYS[1], LIMITS[1], LIMITS[2], LIMITS[3], LIMITS[4], 'price:' .. ARGV[15])
local input, output, usd = tonumber(ARGV[16]), tonumber(ARGV[17]), 0
if found[5] then
  usd = priced(found[5], input, output)
elseif found[3] or found[4] then
  return {'unpriced'}
end
local reply = read(KEYS, ARGV)
if reply[1] ~= 'ok' then return reply end
local book = open_book(KEYS[1], live, now_seconds(), {})
local reserved = reserve(book, records, ARGV[11], found, input + output, usd, tonumber(ARGV[12]), tonumber(ARGV[13]),
  tonumber(ARGV[14]), ARGV[15])
if reserved[1] ~= 'ok' then return reserved end
reply[#reply + 1] = reserved
return reply
