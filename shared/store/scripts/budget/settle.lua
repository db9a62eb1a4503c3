-- Write down what a model call used, in place of what was reserved for it.
-- @include reservation
-- KEYS: tenant, live reservations, records, books of user and agent
-- ARGV: key hash, id, model ('' for the reservation's own), input tokens, output tokens ('' when not told apart),
--       micro-USD ('' to price them),
--       seconds for which a reservation is kept that was granted while the store was away ('' for one that was not),
--       then what whose.lua takes
-- Reply: as settle of reservation.lua | 'unknown' | 'unpriced'
--        | 'spender', user, agent: for whom it is, where its caller names other books
local names = {tenant = KEYS[1], live = KEYS[2], records = KEYS[3], whose = take_whose()}
local id, model, input, output, said_usd = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local reservation, book, wrong = find_to_settle(names, id, ARGV[7], model)
if not reservation then return {'unknown'} end
if wrong then return wrong end
local usd = said_usd or priced(book, model == '' and reservation.model or model, input, output)
if not usd and reservation.state ~= 'settled' and is_money_limited(book, names.whose) then return {'unpriced'} end
return settle(book, names, id, reservation,
  {input = input, output = output or 0, usd = usd or 0, said_usd = said_usd, said_model = model})
