-- The terms of a conversation's items, by which older ones are found again (shared/recall/terms.py).
-- @part
-- @include text
--
-- A term is five characters, of 64, and how often an item has it one more. What an item says is six for each term. All
-- stands in the hash of the conversation, so that what copies, renames or removes that does so with the terms:
--
--   ti          '<format> <generation> <first block> <blocks> <items> <terms> <in the open block> <lowest place>
--               <tokens> <oldest item's id>': all from the lowest place on was looked at, until <tokens> were written
--   to          the open block: for each item a newline, its place (three characters), its terms
--   t:<b>       a closed block: for each item its place, and how many terms it has (two characters), 0 if it is gone
--   t:<b>:<c>   of a closed block, the terms that begin with <c>: for each a newline, the other four characters, and
--               for each item that has it which one of the block it is (two characters), and how often
--   td          '<place>:<day>;' for the first item that was appended on a day (since 1970, UTC) and had terms kept
--   tq          of the newest user message: '<place> <first block> <items> <terms> <oldest item's id or -> <its
--               terms>', but for these as they were then
--
-- An index of another generation was copied by a release that did not know it: it is left behind, and begun anew. So is
-- one behind which something was appended without terms. What stands before an index is added later, block by block,
-- from its newest on (index_older.lua), with numbers that go down: who asks by a message from before does without.

local TERMS_FORMAT, BLOCK_ITEMS, TERM, PLACE = '2', 256, 6, 3

-- Of the first block that a conversation has, so that others can come before it.
local FIRST_BLOCK = 4096

local ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+-'
local DIGITS = {}
for at = 1, 64 do DIGITS[string.byte(ALPHABET, at)] = at - 1 end

local function packed(number, width)
  local characters = ''
  for _ = 1, width do
    local digit = number % 64 + 1
    characters, number = string.sub(ALPHABET, digit, digit) .. characters, math.floor(number / 64)
  end
  return characters
end

local function unpacked(characters, from, width)
  local number = 0
  for at = from, from + width - 1 do number = number * 64 + DIGITS[string.byte(characters, at)] end
  return number
end

-- How many terms an item has that says *terms*, each as often as it is there.
local function count_of(terms)
  local count = 0
  for at = TERM, #terms, TERM do count = count + DIGITS[string.byte(terms, at)] end
  return count
end

-- *days* with that of *at_s* at *place*, nil where that is the newest.
local function with_day(days, place, at_s)
  local day = text(math.floor(at_s / 86400))
  if string.match(days or '', ':(%d+);$') == day then return nil end
  return (days or '') .. text(place) .. ':' .. day .. ';'
end

-- An empty index, whose blocks begin behind those of the one in *header*; nothing was looked at before *lowest*, nor
-- is there, where nothing has been written.
local function new_index(header, lowest)
  -- The blocks stand at the same place in each format.
  local blocks = tonumber(string.match(header.ti or '', '^%S+ %S+ %d+ (%d+)') or 0)
  local first, written = math.max(FIRST_BLOCK, blocks), header.w or '0'
  return {first = first, blocks = first, items = 0, terms = 0, open = 0, lowest = written == '0' and 1 or lowest,
    written = written, from = '', block = '', left_bytes = #(header['to'] or '')}
end

-- What the header says of the index; nil where it is none of this history.
local function index_of(header, generation)
  local format, of, first, blocks, items, terms, open, lowest, written, from =
    string.match(header.ti or '', '^(%S+) (%S+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+) (%S*)$')
  if format ~= TERMS_FORMAT or of ~= generation then return nil end
  return {first = tonumber(first), blocks = tonumber(blocks), items = tonumber(items), terms = tonumber(terms),
    open = tonumber(open), lowest = tonumber(lowest), written = written, from = from, block = header['to'] or ''}
end

-- The index to which what stands at *place* may be added: all that stands between was looked at. A new one has
-- `left_bytes`, what the open block takes in whose place it comes; nothing is known of the days then either.
local function growing_index(header, generation, place)
  local index = index_of(header, generation)
  return index and index.written == (header.w or '0') and index or new_index(header, place)
end

-- Whether nothing is left that could be added.
local function is_indexed(header)
  local index = growing_index(header, header.g, 2)
  return index.lowest == 1
end

local function written_index(index, generation)
  return table.concat({TERMS_FORMAT, generation, text(index.first), text(index.blocks), text(index.items),
    text(index.terms), text(index.open), text(index.lowest), index.written, index.from}, ' ')
end

local function question_line(place, first, items, terms, from, codes)
  return table.concat({text(place), text(first), text(items), text(terms), from == '' and '-' or from, codes}, ' ')
end

-- What *tq* says of the message that asks, nil where there is none.
local function question_of(tq)
  local place, first, items, terms, from, codes =
    string.match(tq or '', '^(%d+) (%d+) (%d+) (%d+) (%S+) (%S*)$')
  return place and {place = tonumber(place), first = tonumber(first), items = tonumber(items),
    terms = tonumber(terms), from = from == '-' and '' or from, codes = codes, line = tq}
end

-- The lines of an open *block*, one by one: place, terms.
local function each_line(block, take)
  for line in string.gmatch(block, '\n([^\n]+)') do take(unpacked(line, 1, PLACE), string.sub(line, PLACE + 1)) end
end

-- Closes the open block of *index*: adds its fields to *fields*, and returns how many more bytes these take.
local function close_block(index, fields)
  local name = 't:' .. text(index.blocks)
  local places, buckets, size, at = {}, {}, -#index.block, 0
  each_line(index.block, function(place, terms)
    local mark = packed(at, 2)
    at = at + 1
    places[#places + 1] = packed(place, PLACE) .. packed(math.min(4095, count_of(terms)), 2)
    for from = 1, #terms, TERM do
      local bucket, rest = string.sub(terms, from, from), string.sub(terms, from + 1, from + 4)
      local lines = buckets[bucket] or {}
      buckets[bucket] = lines
      lines[rest] = (lines[rest] or '\n' .. rest) .. mark .. string.sub(terms, from + 5, from + 5)
    end
  end)
  local function set(field, value)
    fields[#fields + 1], fields[#fields + 2] = field, value
    size = size + #value
  end
  set(name, table.concat(places))
  for bucket, lines in pairs(buckets) do
    local joined = {}
    for _, line in pairs(lines) do joined[#joined + 1] = line end
    set(name .. ':' .. bucket, table.concat(joined))
  end
  index.blocks, index.open, index.block = index.blocks + 1, 0, ''
  return size
end

-- Adds an item at *place* that says *terms* to *index*; returns how many bytes that takes.
local function add_terms(index, fields, place, id, terms)
  local size = 0
  if index.open == BLOCK_ITEMS then size = close_block(index, fields) end
  local line = '\n' .. packed(place, PLACE) .. terms
  index.block, index.open = index.block .. line, index.open + 1
  index.items, index.terms = index.items + 1, index.terms + count_of(terms)
  if index.from == '' then index.from = id end
  return size + #line
end
