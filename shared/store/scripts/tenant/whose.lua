-- Of which user and agent something is, and the rates of these.
-- @part
-- @include gcra, text
--
-- Each user and each agent has a book of its own, a hash beside the tenant's: what it used and reserved (spender.lua),
-- and `tat` of its rate. It expires when it was not written to for long; `day` says when that was said last.
--
-- Its caller names the books behind all other KEYS, the user's before the agent's. Behind all other ARGV stand the
-- user, the agent, '' for none, and a word: 'known' where the request says whose it is; '' where the caller only
-- believes it, so that the script may have to reply who it is, 'owner' of a conversation (members.lua), 'spender' of a
-- reservation; 'taken' where it did so, and the permit was taken before that. Of a conversation they are names, and of
-- a reservation the digests by which the names of books end.
local KINDS = {'user', 'agent'}
local BOOK_S, DAY_S = '6048000', 86400

-- Takes from KEYS and ARGV what stands at their end of one thing. Where a script has two of these, the last one first.
local function take_whose()
  local whose = {books = {}}
  whose.word = table.remove(ARGV)
  whose.agent = table.remove(ARGV)
  whose.user = table.remove(ARGV)
  if whose.agent ~= '' then whose.books.agent = table.remove(KEYS) end
  if whose.user ~= '' then whose.books.user = table.remove(KEYS) end
  return whose
end

-- The digest that ends the name of a book, '' where there is none: what else is stored of whose something is.
local function digest_of(whose, kind)
  return whose.books[kind] and string.sub(whose.books[kind], -32) or ''
end

-- Sets *fields* (name, value, …) of a book; *found*: its `day`, and for whether it was there, `tat` and `ws`.
-- It is said once a day how long it lasts: before it is written to, of a new one behind that, and then again with
-- the next write, which finds no `day`.
local function write_book(name, found, at_s, fields)
  local day = text(math.floor(at_s / DAY_S))
  local is_new = not (found.day or found.tat or found.ws)
  if found.day ~= day and not is_new then
    redis.call('EXPIRE', name, BOOK_S)
    fields[#fields + 1] = 'day'
    fields[#fields + 1] = day
    found.day = day
  end
  redis.call('HSET', name, unpack(fields))
  if is_new then
    redis.call('EXPIRE', name, BOOK_S)
    found.ws = found.ws or ''
  end
end

-- Takes a permit of the rates of user and agent, where the tenant has such: of both or of none.
-- Reply: nil | {'slow', kind, what gcra.lua tells of that rate}
local function slowed(whose)
  if whose.word == 'taken' then return nil end
  local taken, now = {}, nil
  for _, kind in ipairs(KINDS) do
    local limit, name = owner.rates[kind], whose.books[kind]
    if limit and name then
      now = now or now_micros()
      local tat, day, ws = unpack(redis.call('HMGET', name, 'tat', 'day', 'ws'))
      local granted, becomes, told = granted_of(limit, tat, now, 1, 1)
      local write = {name, {tat = tat, day = day, ws = ws}, math.floor(now / 1000000), {'tat', becomes}}
      if granted == 0 then
        if becomes then write_book(unpack(write)) end
        return {'slow', kind, told}
      end
      taken[#taken + 1] = write
    end
  end
  for _, write in ipairs(taken) do write_book(unpack(write)) end
end
