-- One page of items, deleted ones and other entries skipped; of a small conversation all, for this page and the next.
-- @reads
-- @include reading
-- KEYS: as read.lua
-- ARGV: key hash, reply_bytes_max, generation, version and chain hash that the reader holds,
--       size up to which a conversation comes whole, id to start after ('' for none), order ('asc' or 'desc'), limit,
--       how many items the reader lacks before what it holds ('' where that is no part of the page), place where what
--       it holds begins ('' for nothing)
-- Reply: as read.lua with 'news', 'all', 'tail' or 'older', then the place of the item to start after ('' for none)
--        | 'ok', the same header, 'page', '1' if there are more, entries
--        | 'unauthorised' | 'unknown' | 'after', id
-- A page from the newest end is a tail, and what a reader lacks before its tail is 'older'. Of entries that are no
-- items these bring '', but for the newest summary. A page ends where the JSON of its items gets too large.
local after, limit, is_ascending = ARGV[7], tonumber(ARGV[9]), ARGV[8] == 'asc'
local lack = tonumber(ARGV[10])
local log = open_log(KEYS, ARGV, {'i:' .. after})
if not log then return {'unknown'} end
local place = log.header['i:' .. after]
if after ~= '' and not place then return {'after', after} end

local more, entries, items, size, first = '0', {}, 0, 0, 0
local function take(seq, entry)
  if not is_item(entry) then return false end
  size = size + #entry - string.find(entry, '\n', 1, true)
  if items == limit or (size > log.bytes_max and items > 0) then
    more = '1'
    return true
  end
  entries[#entries + 1], items, first = entry, items + 1, seq
end

local function take_all(seq, entry)
  if is_item(entry) then return take(seq, entry) end
  entries[#entries + 1], first = text(seq) == log.header.y and entry or '', seq
end

local function take_older(last, count)
  limit, first = count, last + 1
  walk(log.name, last, 1, -1, chunk_for(log.bytes, log.newest, limit + 8), take_all)
  return reversed(entries)
end

local reply = nil
if lack and lack > 0 and log.is_same then
  local older = take_older(tonumber(ARGV[11]) - 1, lack)
  reply = reply_of(log, KEYS, 'older', first, older, {}, {})
else
  reply = news_or_all(log, KEYS, ARGV, tonumber(ARGV[6]), lack == 0)
end
if not reply and after == '' and not is_ascending then
  local newest = take_older(log.newest, limit)
  reply = reply_of(log, KEYS, 'tail', first, newest, pinned_before(log, first), {})
end
if reply then
  reply[9] = place or ''
  return reply
end
local step, from, to = 1, 1, log.newest
if not is_ascending then step, from, to = -1, log.newest, 1 end
-- The place of an item that compaction took out lies between two others.
if place then from = is_ascending and math.floor(tonumber(place)) + 1 or math.ceil(tonumber(place)) - 1 end
walk(log.name, from, to, step, chunk_for(log.bytes, log.newest, limit + 8), take)
return {'ok', shown(log), 'page', more, entries}
