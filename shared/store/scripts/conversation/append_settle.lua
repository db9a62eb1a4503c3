-- Append, and settle the reservation that was made for what is appended. Besides what append.lua takes:
-- @include settling, adding, appending
-- KEYS: …, live reservations, records, books of the conversation's user and agent, then of the reservation's
-- ARGV: …, id of the reservation, input tokens, output tokens,
--       seconds for which it is kept if it was granted while the store was away ('' if it was not),
--       what whose.lua takes of the conversation, then of the reservation
-- Reply: as append.lua | 'reservation': there is no such reservation | 'unpriced': it was granted while the store was
--        away, so that its model is not known, and there is a budget in USD | 'settled', …: as settle of
--        reservation.lua | 'spender', …: as whose.lua; with these, nothing was appended
local own_keys, own_arguments = {unpack(KEYS, 1, #KEYS - 2)}, {unpack(ARGV, 1, #ARGV - 4)}
return append(own_keys, own_arguments, settling(KEYS, ARGV))
