-- Append, and settle the reservation that was made for what is appended. Besides what append.lua takes:
-- @include appending, budget
-- KEYS: …, live reservations, records
-- ARGV: …, id of the reservation, input tokens, output tokens
-- Reply: as append.lua | 'reservation': there is no such reservation, and nothing was appended
-- A reservation that was settled before stays as it was. Without a price the money that was reserved counts as used.
local live, records = KEYS[#KEYS - 1], KEYS[#KEYS]
local id, input, output = ARGV[#ARGV - 2], tonumber(ARGV[#ARGV - 1]), tonumber(ARGV[#ARGV])
local reservation = record_of(records, id)
if not reservation then return {'reservation'} end
local reply = append({unpack(KEYS, 1, #KEYS - 2)}, {unpack(ARGV, 1, #ARGV - 3)})
if reply[1] == 'ok' then
  local price = redis.call('HGET', KEYS[1], 'price:' .. reservation.model)
  local usd = price and priced(price, input, output) or reservation.usd
  local book = open_book(KEYS[1], live, now_seconds(), {reservation.day, reservation.month})
  settle(book, records, id, reservation, reservation.model, input, output, usd)
end
return reply
