-- Write down what a model call used, in place of what was reserved for it.
-- @include budget
-- KEYS: tenant, live reservations, records
-- ARGV: key hash, id, model ('' for the reservation's own), input tokens, output tokens ('' when not told apart),
--       micro-USD ('' to price them),
--       seconds for which a reservation is kept that was granted while the store was away ('' for one that was not)
-- Reply: as settle of budget.lua | 'unknown' | 'unpriced'
local id, model, input, output = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local now_s = now_seconds()
local record = record_of(KEYS[3], id)
if not record then
  if ARGV[7] == '' then return {'unknown'} end
  -- Nothing was set aside for it, so all of it is overrun.
  local day, month = windows_at(now_s)
  record = {state = 'open', tokens = 0, usd = 0, day = day, month = month, ends = now_s, model = '-', rest = ''}
end
if model == '' then model = record.model end
local usd = tonumber(ARGV[6]) or select(2, limits_and_cost(KEYS[1], model, input, output))
if not usd then return {'unpriced'} end
local book = open_book(KEYS[1], KEYS[2], now_s, {record.day, record.month})
local reply = settle(book, KEYS[3], id, record, model, input, output or 0, usd)
if record.state == 'open' then redis.call('EXPIRE', KEYS[3], ARGV[7]) end
return reply
