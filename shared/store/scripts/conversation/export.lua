-- A page of an export: entries as they are stored, in order, of the state at which the export began.
-- @reads
-- @include entries, erasing, fields, terms, text
-- KEYS: tenant, conversation
-- ARGV: key hash, generation, version and chain hash of that state ('' for the newest, to begin), the place of its
--       summary ('' for none), the place to go on at, how far that is sent already (0: not at all; 1: its entry; …: so
--       many less one of the ids of items that compaction took out behind it), bytes_max, lines_max
-- Reply: 'ok', {g, v, h, c, m, e, f, y, tokens written, us, ag} of the state, and of the newest {r, s, items and terms
--        that there were when the newest user message came ('' for none), id of the oldest item with terms}, place to
--        go on at ('' for none), how far that is sent, {entry, or '=' and the id of an item that compaction took out}
--        | 'unauthorised' | 'unknown' | 'moved': what the state held is there no more
-- What was appended since is left out. What was deleted since, before it was sent, is gone for the export as well.
local name = KEYS[2]
local generation, chain, summary = ARGV[2], ARGV[4], ARGV[5]
local place, sent, bytes_max, lines_max = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local header = fields_of(name, {'g', 'v', 'h', 'c', 'm', 'e', 'f', 'y', 'w', 'o', 'b', 'x', 'r', 's', 'ti', 'tq',
  'us', 'ag'})
if not header.v or is_being_erased(header.us) then return {'unknown'} end
local removed, is_first = tonumber(header.o or 0), generation == ''
local newest = tonumber(header.v) - removed
local last, written = newest, header.w
-- How many entries may have come since, of which each is looked at.
local SINCE_MAX = 10000

-- The places of what was deleted since.
local lost = {}
if is_first then
  chain, summary = header.h, header.y or ''
else
  last = tonumber(ARGV[3]) - removed
  if generation ~= header.g or last > newest or newest - last > SINCE_MAX then return {'moved'} end
  local at_last = last > 0 and redis.call('HGET', name, text(last)) or chain
  if not at_last or string.match(at_last, '^%x*') ~= chain then return {'moved'} end
  walk(name, last + 1, newest, 1, chunk_for(tonumber(header.b), newest, newest - last), function(seq, entry)
    if seq == last + 1 then written = string.match(entry, '^%x+ (%d+)') end
    if kind_of(entry) == '-' then lost[tonumber(string.match(facts_of(entry), '%d+'))] = true end
  end)
end

local gone = {}
for id, at in string.gmatch(header.x or '', '([^ ]+) (%d+);') do
  at = tonumber(at)
  if at >= place and at <= last then
    gone[at] = gone[at] or {}
    gone[at][#gone[at] + 1] = id
  end
end

local lines, size, next_place, next_sent, is_moved = {}, 0, '', '0', false
local function put(line, at, how_far)
  if #lines == lines_max or (size + #line > bytes_max and #lines > 0) then
    next_place, next_sent = text(at), text(how_far)
    return false
  end
  lines[#lines + 1], size = line, size + #line
  return true
end
-- Puts the ids that are left of those behind *at*, of which *from* is the first; false where there is no more room.
local function put_gone(at, from)
  local ids = gone[at] or {}
  for i = from, #ids do
    if not put('=' .. ids[i], at, i) then return false end
  end
  return true
end

local goes_on = sent == 0 or put_gone(place, sent)
if goes_on then
  local from = sent == 0 and place or place + 1
  walk(name, from, last, 1, chunk_for(tonumber(header.b), newest, last - from + 1), function(seq, entry)
    local kind = kind_of(entry)
    is_moved = (kind == 'x' and lost[seq] or kind == 'z' and text(seq) == summary) and true or false
    if is_moved then return true end
    local is_line = kind == 'x' or kind == 'y' or is_item(entry)
    return (is_line and not put(entry, seq, 0)) or not put_gone(seq, 1)
  end)
end
if is_moved then return {'moved'} end
local state = {header.g, text(last + removed), chain, header.c, header.m, header.e, header.f or '', summary, written,
  header.us or '', header.ag or ''}
-- A copy has the terms of all items. Where this index lacks some, what it says of itself is not true of the copy's.
local index, message, asked = index_of(header, header.g), question_of(header.tq), {'', '', ''}
if message then asked = {'0', '0', ''} end
if index and is_indexed(header) and index.items > 0 then
  asked[3] = index.from
  if message and message.first == index.first then
    asked = {text(message.items), text(message.terms), message.from ~= '' and message.from or index.from}
  end
end
local sums = {header.r or '0', header.s or '0', unpack(asked)}
return {'ok', state, sums, next_place, next_sent, lines}
