-- What readers get of a conversation, with the KEYS and the first five ARGV of read.lua.
-- @part
-- @include entries, erasing, fields, recall, text

-- The counts that are kept in *encoding* of the entries from place *first* on, block by block.
local function kept_counts(conversation, encoding, block_entries, first, newest)
  local blocks = {}
  for block = math.floor(first / block_entries), math.floor(newest / block_entries) do
    blocks[#blocks + 1] = 'q:' .. encoding .. ':' .. text(block)
  end
  return redis.call('HMGET', conversation, unpack(blocks))
end

-- {path, mark, …} of documents, '' for one without a mark. *paths*: one a line; the marks of those under shared/ are
-- no tenant's, and '' here: the reader asks for them (document_marks.py).
local function marks_of(paths, marks)
  local own, found = {}, {}
  for path in string.gmatch(paths, '[^\n]+') do
    if string.sub(path, 1, 7) == 'shared/' then
      found[#found + 1] = path
      found[#found + 1] = ''
    else
      own[#own + 1] = path
    end
  end
  if #own == 0 then return found end
  for i, mark in ipairs(redis.call('HMGET', marks, unpack(own))) do
    found[#found + 1] = own[i]
    found[#found + 1] = mark or ''
  end
  return found
end

-- What of a conversation's header readers need.
local HEADER = {'g', 'v', 'h', 'n', 'e', 't', 'c', 'm', 'w', 'd', 'o', 'pin', 'y', 'b', 'docs', 'r', 's', 'sc', 'f',
  'us', 'ag'}

-- A conversation with that *header*, as the reader in KEYS and ARGV finds it. *held*: the place up to which the reader
-- holds it, if its generation and chain hash are of this history. *last_header*: an older header, if no entries are
-- read but those up to it. A reply has room for one entry however large, but where its reader would rather ask again:
-- then not even for that.
local function log_of(KEYS, ARGV, header, last_header)
  local removed, last = tonumber(header.o or 0), last_header or header
  local log = {name = KEYS[2], header = header, bytes = tonumber(header.b), newest = tonumber(last.v) - removed,
    held = tonumber(ARGV[4]) - removed, bytes_max = math.abs(tonumber(ARGV[2])),
    least = tonumber(ARGV[2]) < 0 and 0 or 1}
  log.is_same = ARGV[3] == header.g and log.held == log.newest and ARGV[5] == last.h
  return log
end

-- What of it recall needs besides.
local TERMS_HEADER = {'ti', 'to', 'tq', 'td'}

-- The same of a conversation whose header is not known; nil where there is none. *beside*: fields that are wanted as
-- well.
local function open_log(KEYS, ARGV, beside)
  local names = {unpack(HEADER)}
  for _, name in ipairs(beside) do names[#names + 1] = name end
  local header = fields_of(KEYS[2], names)
  return header.g and not is_being_erased(header.us) and log_of(KEYS, ARGV, header) or nil
end

-- The same for a reader who may ask for older items that match.
local function open_recalling(KEYS, ARGV)
  return open_log(KEYS, ARGV, ARGV[12] == '0' and {} or TERMS_HEADER)
end

-- The news for the reader, as many as may travel at once; nil where what it holds is not of this history.
local function news_of(log, ARGV)
  if log.is_same then return {} end
  if ARGV[3] ~= log.header.g or log.held >= log.newest or log.held < 1 then return nil end
  local news, news_bytes, belongs = {}, 0, false
  local chunk = chunk_for(log.bytes, log.newest, log.newest - log.held + 1)
  walk(log.name, log.held, log.newest, 1, chunk, function(seq, entry)
    if seq == log.held then
      belongs = string.sub(entry, 1, #ARGV[5] + 1) == ARGV[5] .. ' '
      return not belongs
    end
    news_bytes = news_bytes + #entry
    if news_bytes > log.bytes_max and #news >= log.least then return true end
    news[#news + 1] = entry
  end)
  return belongs and news or nil
end

-- The entries from the oldest one on, as many as may travel at once.
local function oldest_of(log)
  local entries, entries_bytes = {}, 0
  if log.newest == 0 then return entries end
  walk(log.name, 1, log.newest, 1, chunk_for(log.bytes, log.newest, log.newest), function(_, entry)
    entries_bytes = entries_bytes + #entry
    if entries_bytes > log.bytes_max and #entries >= log.least then return true end
    entries[#entries + 1] = entry
  end)
  return entries
end

-- {place, entry, …} of what is pinned before *first*: system messages, and the note of the newest summary.
local function pinned_before(log, first)
  local places, pinned = {}, {}
  for place in string.gmatch(log.header.pin .. ',' .. (log.header.y or ''), '%d+') do
    if tonumber(place) < first then places[#places + 1] = place end
  end
  for start = 1, #places, UNPACK_MAX do
    local some = {unpack(places, start, math.min(start + UNPACK_MAX - 1, #places))}
    for i, entry in ipairs(redis.call('HMGET', log.name, unpack(some))) do
      pinned[#pinned + 1] = some[i]
      pinned[#pinned + 1] = entry
    end
  end
  return pinned
end

local function reversed(list)
  local turned = {}
  for i = #list, 1, -1 do turned[#turned + 1] = list[i] end
  return turned
end

-- The header as readers take it.
local function shown(log)
  local header = log.header
  return {header.g, header.v, header.h, header.n, header.e, header.t, header.c, header.m, header.w, header.d or '',
    header.o or '', header.pin, header.y or '', header.r or '', header.s or '', header.sc or '', header.b,
    header.f or '', header.us or '', header.ag or ''}
end

-- A reply of *entries*, which begin at *first*; *counts*: the kept ones.
local function reply_of(log, KEYS, kind, first, entries, pinned, counts)
  local documents = log.header.docs and marks_of(log.header.docs, KEYS[3]) or {}
  return {'ok', shown(log), kind, text(first), entries, pinned, counts, documents}
end

-- The reply of read.lua, of *log*.
local function read(KEYS, ARGV, log)
  local mode, tokens_min, encoding, before = ARGV[6], tonumber(ARGV[7]), ARGV[8], ARGV[10]
  if not log then return {'unknown'} end

  -- Who shows results by their short forms needs more of the log: as much more as these save of all of it.
  local written, saved = tonumber(log.header.w), tonumber(log.header.s or 0)
  if ARGV[11] == '1' and saved < written then tokens_min = math.ceil(tokens_min * written / (written - saved)) end

  local function tail(last)
    local average = math.max(1, tonumber(log.header.w) / math.max(1, log.newest))
    local wanted = math.max(0, math.ceil(tokens_min / average * 1.25)) + 16
    local entries, entries_bytes, tokens, first = {}, 0, 0, last + 1
    -- What is recalled depends on the window up to the newest user message: that has to be in the tail.
    local asking = tonumber(ARGV[12]) > 0 and tonumber(string.match(log.header.tq or '', '^%d+')) or last
    walk(log.name, last, 1, -1, chunk_for(log.bytes, log.newest, wanted), function(seq, entry)
      entries_bytes = entries_bytes + #entry
      if entries_bytes > log.bytes_max and #entries >= log.least then return true end
      entries[#entries + 1], first = entry, seq
      local kind = kind_of(entry)
      if seq <= asking and kind ~= 's' and is_item(entry) then tokens = tokens + tokens_of(entry) end
      return tokens >= tokens_min and kind == 'u'
    end)
    return first, reversed(entries)
  end

  -- Who holds entries already may hold none of their counts.
  local function answer(kind, first, entries, pinned)
    local has_counts, from = encoding ~= '' and log.newest > 0, kind == 'news' and 1 or first
    local counts = has_counts and kept_counts(log.name, encoding, tonumber(ARGV[9]), from, log.newest) or {}
    return reply_of(log, KEYS, kind, first, entries, pinned, counts)
  end

  -- *held*: the place from which on the reader has the entries.
  local function with_recalled(reply, held)
    local most = tonumber(ARGV[12])
    if most > 0 then
      reply[9] = recalled(log, {most = most, query = ARGV[13], tokens_max = tonumber(ARGV[14]), held = held,
        known = ARGV[16], include = ARGV[17]})
    end
    return reply
  end

  local first, entries
  if before ~= '' then
    first, entries = tail(tonumber(before) - 1)
    return with_recalled(answer('older', first, entries, {}), first)
  end
  entries = news_of(log, ARGV)
  if entries then
    local reply = answer('news', log.is_same and log.newest + 1 or log.held + 1, entries, {})
    return with_recalled(reply, tonumber(ARGV[15]))
  end
  if mode == 'tail' and log.newest > 0 then
    first, entries = tail(log.newest)
    return with_recalled(answer(mode, first, entries, pinned_before(log, first)), first)
  end
  return with_recalled(answer('all', 1, oldest_of(log), {}), 1)
end

-- The reply to a reader that takes small conversations whole: news where it holds what it needs, all where that is
-- small; nil where it needs something else.
local function news_or_all(log, KEYS, ARGV, whole_bytes_max, holds)
  local news = holds and news_of(log, ARGV)
  if news then return reply_of(log, KEYS, 'news', log.held + 1, news, {}, {}) end
  if log.bytes > whole_bytes_max then return nil end
  return reply_of(log, KEYS, 'all', 1, oldest_of(log), {}, {})
end
