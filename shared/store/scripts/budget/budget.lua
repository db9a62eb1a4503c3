-- What a tenant has used and reserved, its limits and its prices: fields of one hash. A user's and an agent's book are
-- the same, but for limits and prices, which are the tenant's (spender.lua).
-- @part
-- @include calendar, fields, text
--
-- Windows are days and months of UTC by the store's clock. Field `w:<window>` of the hash holds
-- '<settled tokens> <reserved tokens> <settled usd> <reserved usd> <overrun tokens> <overrun usd>', money in micro-USD;
-- nothing in it is ever reset, the next window is another field. Field `ws` names the windows there are.
--
-- A script opens the book with one HMGET and closes it with one HSET, which commits all that it changed: the windows,
-- and what became of the reservations that stand in them (reservation.lua). Whatever fails before that HSET, the books
-- are as they were; what fails after it only tidies up.
local WINDOWS_MAX = 70
local MODELS_MAX = 100
local POLICIES = {'tokens-day', 'tokens-month', 'usd-day', 'usd-month'}
local SETTLED, RESERVED, SETTLED_USD, OVERRUN = 1, 2, 3, 5

-- The fields of the tenant's hash that say limits; *of*: '', or whose they are each.
local function limit_names(of)
  local names = {}
  for i, policy in ipairs(POLICIES) do names[i] = of .. 'limit:' .. policy end
  return names
end

-- What those fields of an opened book say, in the order of POLICIES.
local function limits_in(book, of)
  local limits = {}
  for i, name in ipairs(limit_names(of)) do limits[i] = tonumber(book.fields[name] or nil) or false end
  return limits
end

-- names: other fields of the hash that the script needs.
local function open_book(key, now_s, names)
  local day, month = windows_at(now_s)
  local wanted = {'ws', 'w:' .. day, 'w:' .. month, unpack(names)}
  return {key = key, now_s = now_s, day = day, month = month, fields = fields_of(key, wanted), windows = {},
    sets = {}, of = '', limits = {}}
end

local function set_field(book, name, value)
  book.sets[#book.sets + 1] = name
  book.sets[#book.sets + 1] = value
end

local function window_of(book, name)
  local window = book.windows[name]
  if not window then
    local found = book.fields['w:' .. name]
    if found == nil then found = redis.call('HGET', book.key, 'w:' .. name) end
    window = {}
    for number in string.gmatch(found or '0 0 0 0 0 0', '%d+') do window[#window + 1] = tonumber(number) end
    book.windows[name] = window
  end
  return window
end

local function add_to(window, at, tokens, usd)
  local step = at == OVERRUN and 1 or 2
  window[at] = window[at] + tokens
  window[at + step] = window[at + step] + usd
end

local function add(book, day, month, at, tokens, usd)
  for _, name in ipairs({day, month}) do
    local window = window_of(book, name)
    add_to(window, at, tokens, usd)
    window.is_changed = true
  end
end

-- Takes out the oldest windows, so that `ws` may name one more. Those are months old, and no longer shown to anybody.
local function with_window(book, list, name)
  if string.find(list, name .. ';', 1, true) then return list end
  list = list .. name .. ';'
  local _, count = string.gsub(list, ';', '')
  while count > WINDOWS_MAX do
    local oldest, rest = string.match(list, '^(%d+);(.*)$')
    redis.call('HDEL', book.key, 'w:' .. oldest, 'u:' .. oldest)
    list, count = rest, count - 1
  end
  return list
end

-- All that is to be set in a book that was changed: name, value, …
local function changes_of(book)
  local known = book.fields.ws or ''
  local list = known
  for name, window in pairs(book.windows) do
    if window.is_changed then
      window.is_changed = false
      local numbers = {}
      -- Those behind the six, which a newer release may have written, stay as they are.
      for i = 1, #window do numbers[i] = text(window[i]) end
      set_field(book, 'w:' .. name, table.concat(numbers, ' '))
      list = with_window(book, list, name)
    end
  end
  if list ~= known then
    set_field(book, 'ws', list)
    book.fields.ws = list
  end
  local sets = book.sets
  book.sets = {}
  return sets
end

-- The commit. A book that was closed may be changed and closed again.
local function close_book(book)
  local sets = changes_of(book)
  if #sets > 0 then redis.call('HSET', book.key, unpack(sets)) end
end

-- Each limit of a *book* with the window that it is of, and where in that: in the order of POLICIES.
local function checks_of(book)
  local day, month = window_of(book, book.day), window_of(book, book.month)
  return {{day, SETTLED}, {month, SETTLED}, {day, SETTLED_USD}, {month, SETTLED_USD}}
end

-- The first limit that *tokens* and *usd* more would break: its name, limit, settled, reserved, when it resets.
local function broken(book, tokens, usd)
  for i, check in ipairs(checks_of(book)) do
    local limit, window, at = book.limits[i], check[1], check[2]
    local asked = at == SETTLED and tokens or usd
    if limit and window[at] + window[at + 1] + asked > limit then
      local day_resets, month_resets = resets_at(book.now_s)
      local resets = (i % 2 == 1) and day_resets or month_resets
      return {'over', book.of .. POLICIES[i], text(limit), text(window[at]), text(window[at + 1]), text(asked),
        text(resets), text(resets - book.now_s)}
    end
  end
end

-- What is used and reserved of each limit, in millionths of it, '-' for none: of POLICIES, in a line.
local function shares(book)
  local found = {}
  for i, check in ipairs(checks_of(book)) do
    local limit, window, at = book.limits[i], check[1], check[2]
    found[i] = limit and text(1000000 * math.min(1000, (window[at] + window[at + 1]) / math.max(1, limit))) or '-'
  end
  return table.concat(found, ' ')
end

-- What *input* and *output* tokens cost by the tenant's price of *model*, '<input> <output>' for a million of each,
-- rounded up; without *output* all of them are the dearer ones. nil without a price: the book has to have been opened
-- with it.
local function priced(book, model, input, output)
  local price = book.fields['price:' .. model]
  if not price then return nil end
  local in_price, out_price = string.match(price, '^(%d+) (%d+)$')
  in_price, out_price = tonumber(in_price), tonumber(out_price)
  if not output then in_price = math.max(in_price, out_price) end
  return math.ceil((input * in_price + (output or 0) * out_price) / 1000000)
end

-- Usage by model of a month: lines '<model> <input> <output> <usd> <settlements>', and what a newer release may have
-- written behind.
local function with_model(usage, model, input, output, usd)
  local lines, found, count = {}, false, 0
  for name, i, o, u, n, rest in string.gmatch(usage or '', '(%S+) (%d+) (%d+) (%d+) (%d+)([^\n]*)\n') do
    count = count + 1
    if name == model then
      i, o, u, n = text(i + input), text(o + output), text(u + usd), text(n + 1)
      found = true
    end
    lines[#lines + 1] = name .. ' ' .. i .. ' ' .. o .. ' ' .. u .. ' ' .. n .. rest .. '\n'
  end
  if not found then
    if count >= MODELS_MAX and model ~= 'other' then return with_model(usage, 'other', input, output, usd) end
    lines[#lines + 1] = model .. ' ' .. text(input) .. ' ' .. text(output) .. ' ' .. text(usd) .. ' 1\n'
  end
  return table.concat(lines)
end
