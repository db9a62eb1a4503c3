-- Give back what was reserved: all of it, or what is above what is still wanted.
-- @include reservation
-- KEYS: tenant, live reservations, records, record of the attempt that made it, if that is to be forgotten
-- ARGV: key hash, id, tokens and micro-USD that are still wanted ('', '': it is over)
-- Reply: 'ok', its state ('live', 'released', 'settled', 'expired'), tokens and micro-USD that count of it now
--        | 'unknown'
-- What is settled stays so, and what has run out has been given back already: a retry that comes late changes nothing.
local names = {tenant = KEYS[1], live = KEYS[2], records = KEYS[3]}
local id, tokens, usd = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local record = record_of(names, id)
if not record then return {'unknown'} end
if KEYS[4] then redis.call('DEL', KEYS[4]) end
local field = 'r:' .. id
local book = open_book(names.tenant, now_seconds(), {field, 'w:' .. record.day, 'w:' .. record.month})
local reservation = in_book(book, id)
local state = (reservation or record).state

if state == 'settled' then
  if reservation then tidy(names, id, book.fields[field]) end
  local input, output, settled_usd = string.match((reservation or record).rest, '^(%d+) (%d+) (%d+)')
  return {'ok', 'settled', text(input + output), settled_usd}
end
if state == 'released' then
  if reservation then tidy(names, id, book.fields[field]) end
  return {'ok', 'released', '0', '0'}
end
if not reservation then return {'ok', 'expired', '0', '0'} end

if reservation.ends <= book.now_s then
  give_back(book, reservation)
  set_field(book, field, '')
  close_without(book, names, {id})
  return {'ok', 'expired', '0', '0'}
end
if not tokens then
  give_back(book, reservation)
  local value = as_text('released', reservation)
  set_field(book, field, value)
  close_book(book)
  tidy(names, id, value)
  return {'ok', 'released', '0', '0'}
end
if tokens <= reservation.tokens and usd <= reservation.usd then
  give_back(book, reservation)
  reservation.tokens, reservation.usd = tokens, usd
  add(book, reservation.day, reservation.month, RESERVED, tokens, usd)
  set_field(book, field, as_text('live', reservation))
  close_book(book)
end
return {'ok', 'live', text(reservation.tokens), text(reservation.usd)}
