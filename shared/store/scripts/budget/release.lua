-- Give back what was reserved: all of it, or what is above what is still wanted.
-- @include reservation
-- KEYS: tenant, live reservations, records, record of the attempt that made it, if that is to be forgotten, books of
--       user and agent
-- ARGV: key hash, id, tokens and micro-USD that are still wanted ('', '': it is over), then what whose.lua takes
-- Reply: 'ok', its state ('live', 'released', 'settled', 'expired'), tokens and micro-USD that count of it now
--        | 'unknown' | 'spender', user, agent: as settle.lua
-- What is settled stays so, and what has run out has been given back already: a retry that comes late changes nothing.
local names = {tenant = KEYS[1], live = KEYS[2], records = KEYS[3], whose = take_whose()}
local id, tokens, usd = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local record = record_of(names, id)
if not record then return {'unknown'} end
if KEYS[4] then redis.call('DEL', KEYS[4]) end
local field = 'r:' .. id
local book = open_tenant(names.tenant, now_seconds(), {field, 'w:' .. record.day, 'w:' .. record.month}, names.whose)
local reservation = in_book(book, id, record)
local state = (reservation or record).state
if reservation then reservation.is_present = true end
-- What the tenant has no more to say of, or never had, may still be live in the books of user and agent.
local is_open = reservation or state == 'live'
local wrong = is_open and mistaken_of(names, reservation or record)
if wrong then return wrong end
local others = is_open and open_others(book, names.whose, {id}, record) or {}

-- What is left to do when the tenant's hash says *value* of it: the books of user and agent say so too, then it goes.
local function follow_and_tidy(value)
  all_follow(others, id, value)
  tidy(names, id, value)
  all_drop(others, id)
end

if state == 'settled' then
  if reservation then follow_and_tidy(book.fields[field]) end
  local used = used_of(reservation or record)
  return {'ok', 'settled', text(used.input + used.output), text(used.usd)}
end
if state == 'released' then
  if reservation then follow_and_tidy(book.fields[field]) end
  return {'ok', 'released', '0', '0'}
end
if not reservation then
  all_follow(others, id, '')
  all_drop(others, id)
  return {'ok', 'expired', '0', '0'}
end

if reservation.ends <= book.now_s then
  give_back(book, reservation)
  set_field(book, field, '')
  close_book(book)
  all_follow(others, id, '')
  close_without(book, names, {id})
  all_drop(others, id)
  return {'ok', 'expired', '0', '0'}
end
if not tokens then
  give_back(book, reservation)
  local value = as_text('released', reservation)
  set_field(book, field, value)
  close_book(book)
  follow_and_tidy(value)
  return {'ok', 'released', '0', '0'}
end
if tokens <= reservation.tokens and usd <= reservation.usd then
  give_back(book, reservation)
  reservation.tokens, reservation.usd = tokens, usd
  add(book, reservation.day, reservation.month, RESERVED, tokens, usd)
  local value = as_text('live', reservation)
  set_field(book, field, value)
  close_book(book)
  all_follow(others, id, value)
end
return {'ok', 'live', text(reservation.tokens), text(reservation.usd)}
