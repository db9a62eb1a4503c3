-- A reservation as text, in the tenant's hash, in its records, and in the books of its user and agent.
-- @part
-- @include budget
--
-- '<state> <tokens> <usd> <day> <month> <ends at> <model>'; when it is settled the model is the one that was used, and
-- '<input> <output> <usd> <overrun tokens> <overrun usd>' follow. Behind all that stand 'u=<digest>' and 'a=<digest>',
-- of its user and its agent, where it has such. The state is 'live', 'settled' or 'released'.

-- *rest*: what follows the model, nil for nothing.
local function as_text(state, reservation, rest)
  local parts = {state, text(reservation.tokens), text(reservation.usd), reservation.day, reservation.month,
    text(reservation.ends), reservation.model}
  parts[#parts + 1] = rest
  if reservation.user ~= '' then parts[#parts + 1] = 'u=' .. reservation.user end
  if reservation.agent ~= '' then parts[#parts + 1] = 'a=' .. reservation.agent end
  return table.concat(parts, ' ')
end

local function parse(value)
  if not value or value == '' then return nil end
  local state, tokens, usd, day, month, ends, model, rest =
    string.match(value, '^(%a+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+) ?(.*)$')
  return {state = state, tokens = tonumber(tokens), usd = tonumber(usd), day = day, month = month,
    ends = tonumber(ends), model = model, rest = rest, user = string.match(rest, 'u=(%x+)') or '',
    agent = string.match(rest, 'a=(%x+)') or ''}
end

-- What is written down of one that is settled.
local function used_of(reservation)
  local numbers = {}
  for number in string.gmatch(string.match(reservation.rest, '^[%d ]+'), '%d+') do
    numbers[#numbers + 1] = tonumber(number)
  end
  local input, output, usd, over_tokens, over_usd = unpack(numbers)
  return {input = input, output = output, usd = usd, over_tokens = over_tokens, over_usd = over_usd}
end

-- Writes down in a book that *used* was used of *model*; *usage*: what it says of the month by model.
local function add_used(book, day, month, model, used)
  local usage = 'u:' .. month
  add(book, day, month, SETTLED, used.input + used.output, used.usd)
  add(book, day, month, OVERRUN, used.over_tokens, used.over_usd)
  book.fields[usage] = with_model(book.fields[usage], model, used.input, used.output, used.usd)
  set_field(book, usage, book.fields[usage])
end

local function give_back(book, reservation)
  add(book, reservation.day, reservation.month, RESERVED, -reservation.tokens, -reservation.usd)
end
