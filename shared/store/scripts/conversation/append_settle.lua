-- Append, and settle the reservation that was made for what is appended. Besides what append.lua takes:
-- @include settling, appending
-- KEYS: …, live reservations, records
-- ARGV: …, id of the reservation, input tokens, output tokens,
--       seconds for which it is kept if it was granted while the store was away ('' if it was not)
-- Reply: as append.lua | 'reservation': there is no such reservation | 'unpriced': it was granted while the store was
--        away, so that its model is not known, and there is a budget in USD | 'settled', …: as settle of
--        reservation.lua; with these, nothing was appended
local own_keys, own_arguments = {unpack(KEYS, 1, #KEYS - 2)}, {unpack(ARGV, 1, #ARGV - 4)}
return append(own_keys, own_arguments, settling(KEYS, ARGV))
