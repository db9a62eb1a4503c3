-- Read, and set aside what the model call that it is read for may use. Besides what read.lua takes:
-- @include budget, reading
-- KEYS: …, live reservations, records
-- ARGV: …, id, life_s, kept_s, live_max, model ('-' for none), input tokens, output tokens
-- Reply: as read.lua, then {reply of reserve in budget.lua} | what it refuses | 'unpriced'
local live, records = KEYS[#KEYS - 1], KEYS[#KEYS]
local id, life_s, kept_s, live_max = ARGV[11], tonumber(ARGV[12]), tonumber(ARGV[13]), tonumber(ARGV[14])
local model, input, output = ARGV[15], tonumber(ARGV[16]), tonumber(ARGV[17])
local limits, usd = limits_and_cost(KEYS[1], model, input, output)
if not usd then return {'unpriced'} end
local reply = read(KEYS, ARGV)
if reply[1] ~= 'ok' then return reply end
local book = open_book(KEYS[1], live, now_seconds(), {})
local reserved = reserve(book, records, id, limits, input + output, usd, life_s, kept_s, live_max, model)
if reserved[1] ~= 'ok' then return reserved end
reply[#reply + 1] = reserved
return reply
