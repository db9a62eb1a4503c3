-- Set tokens and money aside before a model call.
-- @include erasing, reservation
-- KEYS: tenant, live reservations, records, record of the attempt (only with an Idempotency-Key), books of user and
--       agent
-- ARGV: key hash, fingerprint, record_s, id, life_s, kept_s, live_max, model ('-' for none),
--       input tokens, output tokens ('' when not told apart), micro-USD ('' to price them by the model), then what
--       whose.lua takes, which the caller knows
-- Reply: as reserve of reservation.lua | 'erasing' | 'slow', …: as whose.lua
local whose = take_whose()
local refusal = refusal_of_erasing_digest(digest_of(whose, 'user')) or slowed(whose)
if refusal then return refusal end
return reserve({tenant = KEYS[1], live = KEYS[2], records = KEYS[3], attempt = KEYS[4], whose = whose}, {
  fingerprint = ARGV[2], record_s = ARGV[3], id = ARGV[4], life_s = tonumber(ARGV[5]), kept_s = tonumber(ARGV[6]),
  live_max = tonumber(ARGV[7]), model = ARGV[8], input = tonumber(ARGV[9]), output = tonumber(ARGV[10]),
  usd = tonumber(ARGV[11])})
