-- Append, and settle the reservation that was made for what is appended. Besides what append.lua takes:
-- @include reservation, appending
-- KEYS: …, live reservations, records
-- ARGV: …, id of the reservation, input tokens, output tokens,
--       seconds for which it is kept if it was granted while the store was away ('' if it was not)
-- Reply: as append.lua | 'reservation': there is no such reservation | 'unpriced': it was granted while the store was
--        away, so that its model is not known, and there is a budget in USD | 'settled', …: as settle of
--        reservation.lua; with these, nothing was appended
-- It is settled when all that the append checks has passed, and before the append writes: what stops in between is
-- settled, and the same again appends. Without a price the money that was reserved counts as used.
local names = {tenant = KEYS[1], live = KEYS[#KEYS - 1], records = KEYS[#KEYS]}
local id, said_input, said_output, kept_s = unpack(ARGV, #ARGV - 3)

local function settle_first()
  local input, output = tonumber(said_input), tonumber(said_output)
  local reservation, book = find_to_settle(names, id, kept_s, '')
  if not reservation then return {'reservation'} end
  local usd = priced(book, reservation.model, input, output)
  if not usd and reservation.state == 'open' and is_money_limited(book) then return {'unpriced'} end
  local reply = settle(book, names, id, reservation,
    {input = input, output = output, usd = usd or reservation.usd, said_model = ''})
  return reply[1] ~= 'ok' and reply or nil
end

return append({unpack(KEYS, 1, #KEYS - 2)}, {unpack(ARGV, 1, #ARGV - 4)}, settle_first)
