-- Set tokens and money aside before a model call.
-- @include budget, once
-- KEYS: tenant, live reservations, records, record of the attempt (only with an Idempotency-Key)
-- ARGV: key hash, fingerprint, record_s, id, life_s, kept_s, live_max, model ('-' for none),
--       input tokens, output tokens ('' when not told apart), micro-USD ('' to price them by the model)
-- Reply: as reserve of budget.lua | 'reused' | 'unpriced': there is a budget in USD, and no price
local fingerprint, record_s, id, model = ARGV[2], ARGV[3], ARGV[4], ARGV[8]
local life_s, kept_s, live_max = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local input, output, usd = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local done = recall(KEYS[4], fingerprint)
if done then return done end
local limits, cost = limits_and_cost(KEYS[1], model, input, output)
usd = usd or cost
if not usd then return {'unpriced'} end
local book = open_book(KEYS[1], KEYS[2], now_seconds(), {})
local reply = reserve(book, KEYS[3], id, limits, input + (output or 0), usd, life_s, kept_s, live_max, model)
if reply[1] ~= 'ok' then return reply end
return remember(KEYS[4], fingerprint, record_s, reply)
