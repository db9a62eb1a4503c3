-- The books of a user and of an agent, beside the tenant's: what each of them used and reserved, under the limits that
-- the tenant's hash says for each of them (`per-user:limit:…`).
-- @part
-- @include reserved, whose
--
-- Only the tenant's HSET commits; these books follow it, so that who fails half-way breaks no limit of theirs:
--   a grant is written to them before it, as a live `r:<id>`. Where it never came, they are short of it until its end.
--   what became of it is written to them behind it, before the tenant's `r:<id>` goes. Their own says whether it was:
--     it is 'settled …', and goes behind the tenant's.
-- What of that is missing is made up for by the same call again, and, once a reservation is past its end, by the next
-- grant to the user or agent: `ends` is no later than the first end of those in the book, and then all are looked at,
-- and the tenant's hash asked what became of them.
local OF = {user = 'user-', agent = 'agent-'}
local LIMITS_OF = {user = 'per-user:', agent = 'per-agent:'}
local TOGETHER, ASKED_AGAIN_S = 1000, 3600

-- The tenant's book, with the limits of *whose* in it, if that is not nil.
local function open_tenant(key, now_s, names, whose)
  for _, name in ipairs(limit_names('')) do names[#names + 1] = name end
  for _, kind in ipairs(KINDS) do
    if whose and whose.books[kind] then
      for _, name in ipairs(limit_names(LIMITS_OF[kind])) do names[#names + 1] = name end
    end
  end
  local book = open_book(key, now_s, names)
  book.limits = limits_in(book, '')
  return book
end

-- Whether there is a limit in USD for the tenant, or for one of *whose*.
local function is_money_limited(book, whose)
  local all = {book.limits}
  for _, kind in ipairs(KINDS) do
    if whose.books[kind] then all[#all + 1] = limits_in(book, LIMITS_OF[kind]) end
  end
  for _, limits in ipairs(all) do
    if limits[3] or limits[4] then return true end
  end
  return false
end

-- The books of *whose*, opened with what they say of *ids* and of the day and month of a *reservation*; *book*: the
-- tenant's.
local function open_others(book, whose, ids, reservation)
  local others = {}
  for _, kind in ipairs(KINDS) do
    if whose.books[kind] then
      local day, month = reservation.day, reservation.month
      local names = {'day', 'tat', 'ends', 'u:' .. month, 'w:' .. day, 'w:' .. month}
      for _, id in ipairs(ids) do names[#names + 1] = 'r:' .. id end
      local other = open_book(whose.books[kind], book.now_s, names)
      other.of, other.limits = OF[kind], limits_in(book, LIMITS_OF[kind])
      other.found = {day = other.fields.day, tat = other.fields.tat, ws = other.fields.ws}
      others[#others + 1] = other
    end
  end
  return others
end

local function close_other(other)
  local sets = changes_of(other)
  if #sets > 0 then write_book(other.key, other.found, other.now_s, sets) end
end

local function set_reserved(other, id, value)
  other.fields['r:' .. id] = value
  set_field(other, 'r:' .. id, value)
end

local function ends_by(other, ends)
  local known = tonumber(other.fields.ends or '')
  if known and known <= ends then return end
  other.fields.ends = text(ends)
  set_field(other, 'ends', other.fields.ends)
end

-- Has the book *other* say of the reservation *id* what the tenant's *value* does, once.
local function follow(other, id, value)
  local known, told = parse(other.fields['r:' .. id]), parse(value)
  if known and known.state == 'settled' then return end
  if known then give_back(other, known) end
  if told and told.state == 'live' then
    add(other, told.day, told.month, RESERVED, told.tokens, told.usd)
    ends_by(other, told.ends)
    set_reserved(other, id, value)
  elseif told and told.state == 'settled' then
    add_used(other, told.day, told.month, told.model, used_of(told))
    set_reserved(other, id, value)
  elseif known then
    set_reserved(other, id, '')
  end
end

local function all_follow(others, id, value)
  for _, other in ipairs(others) do
    follow(other, id, value)
    close_other(other)
  end
end

-- Before a settlement that comes so late that the *others* know nothing of it any more: whoever catches up asks for it.
local function expect_late(others, id, reservation)
  for _, other in ipairs(others) do
    if not parse(other.fields['r:' .. id]) then
      set_reserved(other, id, as_text('live', {tokens = 0, usd = 0, day = reservation.day, month = reservation.month,
        ends = other.now_s, model = '-', user = '', agent = ''}))
      ends_by(other, other.now_s)
      close_other(other)
    end
  end
end

-- Takes out what is over, behind all else.
local function drop(other, ids)
  local fields = {}
  for i, id in ipairs(ids) do fields[i] = 'r:' .. id end
  if #fields > 0 then redis.call('HDEL', other.key, unpack(fields)) end
end

local function all_drop(others, id)
  for _, other in ipairs(others) do drop(other, {id}) end
end

-- Has the book *other* say what the tenant's hash says became of *ids* in it. Returns those that are over: of them the
-- tenant has no more to say.
local function learn(other, tenant, ids)
  local fields, over = {}, {}
  for i, id in ipairs(ids) do fields[i] = 'r:' .. id end
  for i, value in ipairs(redis.call('HMGET', tenant, unpack(fields))) do
    local known, told = parse(other.fields[fields[i]]), parse(value)
    if told and told.state == 'settled' then
      follow(other, ids[i], value)
    else
      -- It ran out, was released, or was never made.
      if known and known.state == 'live' then follow(other, ids[i], '') end
      over[#over + 1] = ids[i]
    end
  end
  return over
end

-- Calls *each* with some ids at a time of what is past its end in the book *other* but for *own*, and opens all of that
-- book. Returns the first end of what is left, nil where there is none.
local function each_past(other, own, each)
  local past, next_end = {}, nil
  local all = redis.call('HGETALL', other.key)
  for i = 1, #all, 2 do
    other.fields[all[i]] = all[i + 1]
    local id = string.match(all[i], '^r:(.+)$')
    local known = id and parse(all[i + 1])
    if known and known.state == 'live' and known.ends > other.now_s then
      next_end = math.min(next_end or known.ends, known.ends)
    elseif id and id ~= own then
      past[#past + 1] = id
    end
  end
  for at = 1, #past, TOGETHER do each({unpack(past, at, math.min(at + TOGETHER - 1, #past))}) end
  return next_end
end

-- Whether something in the book *other* may be past its end.
local function may_be_past(other)
  local ends = tonumber(other.fields.ends or '')
  return ends and ends <= other.now_s
end

-- Makes up for what is past its end in the book *other* but for *own*.
local function catch_up(other, tenant, own)
  if not may_be_past(other) then return end
  local asked_again = nil
  local next_end = each_past(other, own, function(ids)
    local over = learn(other, tenant, ids)
    if #over < #ids then asked_again = other.now_s + ASKED_AGAIN_S end
    close_other(other)
    drop(other, over)
  end)
  if asked_again then next_end = math.min(next_end or asked_again, asked_again) end
  other.fields.ends = next_end and text(next_end) or ''
  set_field(other, 'ends', other.fields.ends)
end
