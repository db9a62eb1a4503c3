-- How a reservation is settled by an append, with the last two KEYS and the last four ARGV of append_settle.lua; what
-- whose.lua takes of the reservation stands behind all.
-- @part
-- @include reservation
--
-- It is settled when all that the append checks has passed, and before the append writes: what stops in between is
-- settled, and the same again appends. Without a price the money that was reserved counts as used.
local settled_whose = take_whose()

local function settling(KEYS, ARGV)
  local names = {tenant = KEYS[1], live = KEYS[#KEYS - 1], records = KEYS[#KEYS], whose = settled_whose}
  local id, said_input, said_output, kept_s = unpack(ARGV, #ARGV - 3)
  return function()
    local input, output = tonumber(said_input), tonumber(said_output)
    local reservation, book, wrong = find_to_settle(names, id, kept_s, '')
    if not reservation then return {'reservation'} end
    if wrong then return wrong end
    local usd = priced(book, reservation.model, input, output)
    if not usd and reservation.state == 'open' and is_money_limited(book, names.whose) then return {'unpriced'} end
    local reply = settle(book, names, id, reservation,
      {input = input, output = output, usd = usd or reservation.usd, said_model = ''})
    return reply[1] ~= 'ok' and reply or nil
  end
end
