-- Write down what a model call used, in place of what was reserved for it.
-- @include reservation
-- KEYS: tenant, live reservations, records
-- ARGV: key hash, id, model ('' for the reservation's own), input tokens, output tokens ('' when not told apart),
--       micro-USD ('' to price them),
--       seconds for which a reservation is kept that was granted while the store was away ('' for one that was not)
-- Reply: as settle of reservation.lua | 'unknown' | 'unpriced'
local names = {tenant = KEYS[1], live = KEYS[2], records = KEYS[3]}
local id, model, input, output, said_usd = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local reservation, book = find_to_settle(names, id, ARGV[7], model)
if not reservation then return {'unknown'} end
local usd = said_usd or priced(book, model == '' and reservation.model or model, input, output)
if not usd and reservation.state ~= 'settled' and is_money_limited(book) then return {'unpriced'} end
return settle(book, names, id, reservation,
  {input = input, output = output or 0, usd = usd or 0, said_usd = said_usd, said_model = model})
