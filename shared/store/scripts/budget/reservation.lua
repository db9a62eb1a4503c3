-- Reservations: made, settled, given back. names: the keys tenant (hash), live (sorted set), records (hash of those
-- made in one hour), and attempt (only with an Idempotency-Key); *whose* they are (whose.lua).
-- @part
-- @include once, reserved, spender
--
-- Field `r:<id>` of the tenant's hash is the reservation (reserved.lua), set by the HSET that changes the windows in
-- which it stands; one that is '' says that it ran out and was given back. The same text in the records tells of it
-- long after its end.
--
-- Before that HSET: the record, which means nothing while the field is not there and its end not past, and the place in
-- the sorted set, which only names candidates for expiry. After it: the record of what has ended, then the field goes
-- and its place. Whatever of that is missing, the next call that meets the field makes up for. The books of user and
-- agent go with it as spender.lua says.

local function record_of(names, id)
  return parse(redis.call('HGET', names.records, id))
end

-- The reservation where the tenant's hash still has it, nil after its end. The book has to have been opened with it.
-- *record*: what the records say, if that is known: a release that knows of no users leaves them out where it changes
-- it.
local function in_book(book, id, record)
  local found = parse(book.fields['r:' .. id])
  if found and record and found.user .. found.agent == '' then found.user, found.agent = record.user, record.agent end
  return found
end

-- What to reply where its caller names other books than those that a *reservation* stands in. Where the tenant has
-- nothing more to say of one that is settled, nor have they.
local function mistaken_of(names, reservation)
  local user, agent = reservation.user, reservation.agent
  if reservation.state == 'settled' and not reservation.is_present then return nil end
  if user ~= names.whose.user or agent ~= names.whose.agent then return {'spender', user, agent} end
end

-- What is left to do once the book is closed: the record says *value*, and the tenant's hash nothing any more.
local function tidy(names, id, value)
  redis.call('HSET', names.records, id, value)
  redis.call('HDEL', names.tenant, 'r:' .. id)
  redis.call('ZREM', names.live, id)
end

-- Closes the book, then takes out the fields of *ids*, which it has given back.
local function close_without(book, names, ids)
  close_book(book)
  if #ids == 0 then return end
  local fields = {}
  for i, id in ipairs(ids) do fields[i] = 'r:' .. id end
  redis.call('HDEL', names.tenant, unpack(fields))
  redis.call('ZREM', names.live, unpack(ids))
end

-- Gives back what has run out, but for the reservation *own*. Returns the ids that are still to be taken out when the
-- book is closed.
local function expire(book, names, kept_s, own)
  while true do
    local ids = redis.call('ZRANGEBYSCORE', names.live, '-inf', text(book.now_s), 'LIMIT', '0', TOGETHER)
    if #ids == 0 then return ids end
    local fields, over = {}, {}
    for i, id in ipairs(ids) do fields[i] = 'r:' .. id end
    for i, value in ipairs(redis.call('HMGET', names.tenant, unpack(fields))) do
      local found, id = parse(value), ids[i]
      local is_live = found and found.state == 'live'
      if is_live and found.ends <= book.now_s then
        give_back(book, found)
        set_field(book, fields[i], '')
        over[#over + 1] = id
      elseif found and found.ends + kept_s > book.now_s then
        -- Its record may not say how it ended, so that the field has to be kept as long as a record.
        redis.call('ZADD', names.live, text(is_live and found.ends or found.ends + kept_s), id)
      elseif id ~= own then
        over[#over + 1] = id
      end
    end
    if #ids < TOGETHER then return over end
    close_without(book, names, over)
  end
end

-- Sets tokens and money aside. ask: id, model, input, output (nil when not told apart), usd (nil to price them),
-- life_s, kept_s, live_max, fingerprint, record_s.
-- Reply: 'ok', id, tokens, usd, ends at, price, '1' if it was granted before, shares of the limits that are used
--        | 'over', limit's name, limit, settled, reserved, asked, resets at, wait | 'reservations', limit
--        | 'unpriced': there is a budget in USD, and no price | 'ended', id: this grant was made before, and is over
--        | 'reused'
-- The record of the attempt is '<id> meant' before the commit and '<id> granted' after it: nobody was told of a grant
-- that is only meant, so one that was lost, or ran out unseen, is made anew.
local function reserve(names, ask)
  local before = recall(names.attempt, ask.fingerprint)
  if before and before[1] == 'reused' then return before end
  local given = before and before[2] or ask.id
  local book = open_tenant(names.tenant, now_seconds(), {'r:' .. given, 'price:' .. ask.model}, names.whose)
  local made, price = in_book(book, given), book.fields['price:' .. ask.model] or ''
  local is_told = before and before[3] == 'granted'
  if made and made.state == 'live' and made.ends > book.now_s then
    if before and not is_told then
      remember(names.attempt, ask.fingerprint, ask.record_s, {'ok', given, 'granted'})
    end
    return {'ok', given, text(made.tokens), text(made.usd), text(made.ends), price, '1', shares(book)}
  end
  if is_told or made and (made.state ~= 'live' or given == ask.id) then return {'ended', given} end

  local tokens = ask.input + (ask.output or 0)
  local usd = ask.usd or priced(book, ask.model, ask.input, ask.output)
  if not usd and is_money_limited(book, names.whose) then return {'unpriced'} end
  local others = open_others(book, names.whose, {ask.id, given}, book)
  local over = expire(book, names, ask.kept_s, ask.id)
  local refusal = broken(book, tokens, usd or 0)
  for _, other in ipairs(others) do
    catch_up(other, names.tenant, ask.id)
    -- What this call, or the one before it, wrote for a grant that never came.
    follow(other, ask.id, '')
    follow(other, given, '')
    refusal = refusal or broken(other, tokens, usd or 0)
  end
  if not refusal and redis.call('ZCARD', names.live) - #over >= ask.live_max then
    refusal = {'reservations', text(ask.live_max)}
  end
  if refusal then
    for _, other in ipairs(others) do close_other(other) end
    close_without(book, names, over)
    return refusal
  end

  local reservation = {tokens = tokens, usd = usd or 0, day = book.day, month = book.month,
    ends = book.now_s + ask.life_s, model = ask.model, user = digest_of(names.whose, 'user'),
    agent = digest_of(names.whose, 'agent')}
  local value = as_text('live', reservation)
  remember(names.attempt, ask.fingerprint, ask.record_s, {'ok', ask.id, 'meant'})
  all_follow(others, ask.id, value)
  redis.call('HSET', names.records, ask.id, value)
  redis.call('EXPIRE', names.records, text(ask.life_s + ask.kept_s))
  redis.call('ZADD', names.live, text(reservation.ends), ask.id)
  add(book, book.day, book.month, RESERVED, tokens, reservation.usd)
  set_field(book, 'r:' .. ask.id, value)
  close_without(book, names, over)
  remember(names.attempt, ask.fingerprint, ask.record_s, {'ok', ask.id, 'granted'})
  return {'ok', ask.id, text(tokens), text(reservation.usd), text(reservation.ends), price, '0', shares(book)}
end

-- The reservation *id* for a settlement, nil where there is none, and the book opened for it; what to reply instead
-- where its caller names other books than those of its user and agent. kept_s: how long one is kept that was granted
-- while the store was away, '' for others. model: whose price is wanted, '' for its own.
local function find_to_settle(names, id, kept_s, model)
  local reservation, now_s = record_of(names, id), now_seconds()
  if not reservation then
    if kept_s == '' then return nil end
    -- Nothing was set aside for it, so all of it is overrun.
    local day, month = windows_at(now_s)
    reservation = {state = 'open', tokens = 0, usd = 0, day = day, month = month, ends = now_s, model = '-', rest = '',
      user = '', agent = '', kept_s = kept_s}
  end
  local wanted = model == '' and reservation.model or model
  local book = open_tenant(names.tenant, now_s, {'r:' .. id, 'price:' .. wanted, 'u:' .. reservation.month,
    'w:' .. reservation.day, 'w:' .. reservation.month}, names.whose)
  local present = in_book(book, id, reservation)
  if present then
    present.is_present = true
    present.kept_s = reservation.kept_s
    reservation = present
  end
  return reservation, book, mistaken_of(names, reservation)
end

local function tidy_settled(names, id, reservation, value)
  tidy(names, id, value)
  if reservation.kept_s then redis.call('EXPIRE', names.records, reservation.kept_s) end
end

-- Writes down what was used, once, in the window of the reservation. used: input, output, usd, and what the caller said
-- itself of model ('' for nothing) and money (nil).
-- Reply: 'ok', tokens, usd, overrun tokens, overrun usd, '1' if it was settled before | 'settled', tokens, usd, model:
--        with other numbers, which stand
local function settle(book, names, id, reservation, used)
  local tokens = used.input + used.output
  local others = open_others(book, names.whose, {id}, reservation)
  if reservation.state == 'settled' then
    if reservation.is_present then
      all_follow(others, id, book.fields['r:' .. id])
      tidy_settled(names, id, reservation, book.fields['r:' .. id])
      all_drop(others, id)
    end
    local then_used = used_of(reservation)
    local tokens_then, usd_then = text(then_used.input + then_used.output), text(then_used.usd)
    if then_used.input ~= used.input or then_used.output ~= used.output
      or used.said_usd and used.said_usd ~= then_used.usd
      or used.said_model ~= '' and used.said_model ~= reservation.model then
      return {'settled', tokens_then, usd_then, reservation.model}
    end
    return {'ok', tokens_then, usd_then, text(then_used.over_tokens), text(then_used.over_usd), '1'}
  end
  expect_late(others, id, reservation)
  local held_tokens, held_usd = 0, 0
  if reservation.is_present and reservation.state == 'live' then
    give_back(book, reservation)
    if reservation.ends > book.now_s then held_tokens, held_usd = reservation.tokens, reservation.usd end
  else
    redis.call('ZADD', names.live, text(book.now_s), id)
  end
  used.over_tokens, used.over_usd = math.max(0, tokens - held_tokens), math.max(0, used.usd - held_usd)
  reservation.model = used.said_model == '' and reservation.model or used.said_model
  add_used(book, reservation.day, reservation.month, reservation.model, used)
  local value = as_text('settled', reservation, table.concat({text(used.input), text(used.output), text(used.usd),
    text(used.over_tokens), text(used.over_usd)}, ' '))
  set_field(book, 'r:' .. id, value)
  close_book(book)
  all_follow(others, id, value)
  tidy_settled(names, id, reservation, value)
  all_drop(others, id)
  return {'ok', text(tokens), text(used.usd), text(used.over_tokens), text(used.over_usd), '0'}
end
