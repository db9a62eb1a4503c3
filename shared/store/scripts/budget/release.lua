-- Give back what was reserved: all of it, or what is above the tokens that are still wanted.
-- @include budget
-- KEYS: tenant, live reservations, records
-- ARGV: key hash, id, input and output tokens that are still wanted ('0', '0': it is over)
-- Reply: 'ok', its state ('live', 'released', 'settled', 'expired') | 'unknown'
-- What is settled stays so, and what has run out has been given back already: a retry that comes late changes nothing.
local id, input, output = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local tokens = input + output
local record = record_of(KEYS[3], id)
if not record then return {'unknown'} end
if record.state ~= 'live' then return {'ok', record.state} end
local book = open_book(KEYS[1], KEYS[2], now_seconds(), {record.day, record.month})
expire(book)
local state = 'expired'
if tokens == 0 and redis.call('ZREM', book.live, member_of(id, record)) == 1 then
  add(book, record.day, record.month, RESERVED, -record.tokens, -record.usd)
  write_record(KEYS[3], id, record, 'released')
  state = 'released'
elseif tokens > 0 and tokens <= record.tokens and redis.call('ZREM', book.live, member_of(id, record)) == 1 then
  local price = redis.call('HGET', KEYS[1], 'price:' .. record.model)
  local usd = price and math.min(record.usd, priced(price, input, output)) or record.usd
  add(book, record.day, record.month, RESERVED, tokens - record.tokens, usd - record.usd)
  record.tokens, record.usd = tokens, usd
  redis.call('ZADD', book.live, text(record.ends), member_of(id, record))
  write_record(KEYS[3], id, record, 'live')
  state = 'live'
end
close_book(book)
return {'ok', state}
