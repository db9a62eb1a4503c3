-- What scripts that spend share. tenant: hash, live: sorted set, records: hash.
-- @part
-- @include text
--
-- Windows are days and months of UTC by the store's clock. Field `w:<window>` of the tenant's hash holds
-- '<settled tokens> <reserved tokens> <settled usd> <reserved usd> <overrun tokens> <overrun usd>', money in micro-USD;
-- nothing in it is ever reset, the next window is another field. Field `ws` names the windows there are.
-- Live reservations stand in the sorted set by their end, as '<id> <tokens> <usd> <day> <month>', so that what has run
-- out can be given back without a look at anything else. A record says what became of a reservation, long after its
-- end: '<state> <tokens> <usd> <day> <month> <ends at> <model>', then for a settled one what was used.
local WINDOWS_MAX = 70
local MODELS_MAX = 100

-- Days since 1970 as year and month. Source: Howard Hinnant, chrono-Compatible Low-Level Date Algorithms.
local function civil(days)
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  return yoe + era * 400 + (month <= 2 and 1 or 0), month, doy - math.floor((153 * mp + 2) / 5) + 1
end

local function windows_at(at_s)
  local year, month, day = civil(math.floor(at_s / 86400))
  return string.format('%04d%02d%02d', year, month, day), string.format('%04d%02d', year, month)
end

local function resets_at(at_s)
  local days = math.floor(at_s / 86400)
  local next_month = days
  local _, month = civil(days)
  repeat
    next_month = next_month + 1
    local _, then_month = civil(next_month)
  until then_month ~= month
  return (days + 1) * 86400, next_month * 86400
end

local function now_seconds()
  return tonumber(redis.call('TIME')[1])
end

local function read_window(found)
  local window = {}
  for number in string.gmatch(found or '0 0 0 0 0 0', '%d+') do window[#window + 1] = tonumber(number) end
  return window
end

-- The windows that one script looks at, read once and written once.
local function open_book(tenant, live, at_s, names)
  local book = {tenant = tenant, live = live, now_s = at_s, windows = {}, changed = {}}
  book.day, book.month = windows_at(at_s)
  local wanted = {'ws'}
  for _, name in ipairs({book.day, book.month, unpack(names)}) do
    if not book.windows[name] then
      book.windows[name] = true
      wanted[#wanted + 1] = 'w:' .. name
    end
  end
  local found = redis.call('HMGET', tenant, unpack(wanted))
  book.list = found[1] or ''
  for i = 2, #wanted do
    book.windows[string.sub(wanted[i], 3)] = read_window(found[i])
  end
  return book
end

local function window_of(book, name)
  local window = book.windows[name]
  if not window then
    window = read_window(redis.call('HGET', book.tenant, 'w:' .. name))
    book.windows[name] = window
  end
  return window
end

local SETTLED, RESERVED, SETTLED_USD, OVERRUN = 1, 2, 3, 5

local function add_to(window, at, tokens, usd)
  local step = at == OVERRUN and 1 or 2
  window[at] = window[at] + tokens
  window[at + step] = window[at + step] + usd
end

local function add(book, day, month, at, tokens, usd)
  for _, name in ipairs({day, month}) do
    add_to(window_of(book, name), at, tokens, usd)
    book.changed[name] = true
  end
end

-- Gives back what has run out. A reservation is live until its end, and no longer.
local function expire(book)
  while true do
    local out = redis.call('ZRANGEBYSCORE', book.live, '-inf', text(book.now_s), 'LIMIT', '0', '1000')
    if #out == 0 then return end
    for _, member in ipairs(out) do
      local tokens, usd, day, month = string.match(member, '^%S+ (%d+) (%d+) (%d+) (%d+)$')
      add(book, day, month, RESERVED, -tonumber(tokens), -tonumber(usd))
    end
    redis.call('ZREM', book.live, unpack(out))
    if #out < 1000 then return end
  end
end

local function close_book(book, extra)
  local fields = extra or {}
  local list = book.list
  for name in pairs(book.changed) do
    local window = book.windows[name]
    local numbers = {}
    for i = 1, 6 do numbers[i] = text(window[i]) end
    fields[#fields + 1] = 'w:' .. name
    fields[#fields + 1] = table.concat(numbers, ' ')
    if not string.find(list, name .. ';', 1, true) then list = list .. name .. ';' end
  end
  if list ~= book.list then
    local _, count = string.gsub(list, ';', '')
    while count > WINDOWS_MAX do
      local oldest, rest = string.match(list, '^(%d+);(.*)$')
      redis.call('HDEL', book.tenant, 'w:' .. oldest, 'u:' .. oldest)
      list, count = rest, count - 1
    end
    fields[#fields + 1] = 'ws'
    fields[#fields + 1] = list
  end
  if #fields > 0 then redis.call('HSET', book.tenant, unpack(fields)) end
end

-- The first limit that *tokens* and *usd* more would break: its name, limit, settled, reserved, when it resets.
local function broken(book, limits, tokens, usd)
  local day, month = book.windows[book.day], book.windows[book.month]
  local checks = {
    {'tokens-day', day, SETTLED, tokens}, {'tokens-month', month, SETTLED, tokens},
    {'usd-day', day, SETTLED_USD, usd}, {'usd-month', month, SETTLED_USD, usd},
  }
  for i, check in ipairs(checks) do
    local limit, window, at = limits[i] and tonumber(limits[i]), check[2], check[3]
    if limit and window[at] + window[at + 1] + check[4] > limit then
      local day_resets, month_resets = resets_at(book.now_s)
      local resets = (i % 2 == 1) and day_resets or month_resets
      return {'over', check[1], text(limit), text(window[at]), text(window[at + 1]), text(check[4]), text(resets),
        text(resets - book.now_s)}
    end
  end
end

local LIMITS = {'limit:tokens-day', 'limit:tokens-month', 'limit:usd-day', 'limit:usd-month'}

-- What *input* and *output* tokens cost by a '<input> <output>' price of a million of each, rounded up; without
-- *output* all of them are the dearer ones.
local function priced(price, input, output)
  local in_price, out_price = string.match(price, '^(%d+) (%d+)$')
  in_price, out_price = tonumber(in_price), tonumber(out_price)
  if not output then in_price = math.max(in_price, out_price) end
  return math.ceil((input * in_price + (output or 0) * out_price) / 1000000)
end

-- The tenant's four limits as in LIMITS, false for none; what the tokens cost by its price of *model*, nil when there
-- is a budget in USD, and no price.
local function limits_and_cost(tenant, model, input, output)
  local tokens_day, tokens_month, usd_day, usd_month, price = unpack(
    redis.call('HMGET', tenant, LIMITS[1], LIMITS[2], LIMITS[3], LIMITS[4], 'price:' .. model))
  local limits = {tokens_day, tokens_month, usd_day, usd_month}
  if price then return limits, priced(price, input, output) end
  if usd_day or usd_month then return limits, nil end
  return limits, 0
end

-- Usage by model of a month: lines '<model> <input> <output> <usd> <settlements>'.
local function with_model(usage, model, input, output, usd)
  local lines, found, count = {}, false, 0
  for name, i, o, u, n in string.gmatch(usage or '', '(%S+) (%d+) (%d+) (%d+) (%d+)\n') do
    count = count + 1
    if name == model then
      i, o, u, n = text(i + input), text(o + output), text(u + usd), text(n + 1)
      found = true
    end
    lines[#lines + 1] = name .. ' ' .. i .. ' ' .. o .. ' ' .. u .. ' ' .. n .. '\n'
  end
  if not found then
    if count >= MODELS_MAX and model ~= 'other' then return with_model(usage, 'other', input, output, usd) end
    lines[#lines + 1] = model .. ' ' .. text(input) .. ' ' .. text(output) .. ' ' .. text(usd) .. ' 1\n'
  end
  return table.concat(lines)
end

local function record_of(records, id)
  local raw = redis.call('HGET', records, id)
  if not raw then return nil end
  local state, tokens, usd, day, month, ends, model, rest =
    string.match(raw, '^(%a+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+) ?(.*)$')
  return {state = state, tokens = tonumber(tokens), usd = tonumber(usd), day = day, month = month,
    ends = tonumber(ends), model = model, rest = rest}
end

local function write_record(records, id, record, state, rest)
  redis.call('HSET', records, id, table.concat({state, text(record.tokens), text(record.usd), record.day,
    record.month, text(record.ends), record.model, rest or ''}, ' '))
end

local function member_of(id, record)
  return table.concat({id, text(record.tokens), text(record.usd), record.day, record.month}, ' ')
end

-- Sets *tokens* and *usd* aside. limits: the four of LIMITS, false for none. Reply: 'ok', id, tokens, usd, ends at
-- | 'over', limit's name, limit, settled, reserved, asked, resets at, wait | 'reservations', limit
local function reserve(book, records, id, limits, tokens, usd, life_s, kept_s, live_max, model)
  local record = record_of(records, id)
  if record then return {'ok', id, text(record.tokens), text(record.usd), text(record.ends)} end
  expire(book)
  local over = broken(book, limits, tokens, usd)
  if over then
    close_book(book)
    return over
  end
  if redis.call('ZCARD', book.live) >= live_max then
    close_book(book)
    return {'reservations', text(live_max)}
  end
  record = {tokens = tokens, usd = usd, day = book.day, month = book.month, ends = book.now_s + life_s, model = model}
  add(book, book.day, book.month, RESERVED, tokens, usd)
  redis.call('ZADD', book.live, text(record.ends), member_of(id, record))
  write_record(records, id, record, 'live')
  redis.call('EXPIRE', records, text(life_s + kept_s))
  close_book(book)
  return {'ok', id, text(tokens), text(usd), text(record.ends)}
end

-- Writes down what was used, once, in the window of the reservation. *price*: that of the model, nil without one.
-- Reply: 'ok', tokens, usd, overrun tokens, overrun usd, '1' if it was settled before | 'settled', tokens, usd
local function settle(book, records, id, record, model, input, output, usd)
  local tokens = input + output
  if record.state == 'settled' then
    local before = record.rest
    local then_input, then_output, then_usd, over_tokens, over_usd = string.match(before,
      '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
    if tonumber(then_input) ~= input or tonumber(then_output) ~= output then
      return {'settled', text(then_input + then_output), then_usd}
    end
    return {'ok', text(tokens), then_usd, over_tokens, over_usd, '1'}
  end
  expire(book)
  local held_tokens, held_usd = 0, 0
  if redis.call('ZREM', book.live, member_of(id, record)) == 1 then
    add(book, record.day, record.month, RESERVED, -record.tokens, -record.usd)
    held_tokens, held_usd = record.tokens, record.usd
  end
  local over_tokens, over_usd = math.max(0, tokens - held_tokens), math.max(0, usd - held_usd)
  add(book, record.day, record.month, SETTLED, tokens, usd)
  add(book, record.day, record.month, OVERRUN, over_tokens, over_usd)
  local usage = redis.call('HGET', book.tenant, 'u:' .. record.month)
  local extra = {'u:' .. record.month, with_model(usage, model, input, output, usd)}
  close_book(book, extra)
  write_record(records, id, record, 'settled', table.concat({text(input), text(output), text(usd), text(over_tokens),
    text(over_usd)}, ' '))
  return {'ok', text(tokens), text(usd), text(over_tokens), text(over_usd), '0'}
end
