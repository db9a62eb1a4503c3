-- Read news, with the KEYS and ARGV of read.lua.
-- @part
-- @include entries, fields, text

-- The counts that are kept in *encoding* of the entries from place *first* on, block by block.
local function kept_counts(conversation, encoding, block_entries, first, newest)
  local blocks = {}
  for block = math.floor(first / block_entries), math.floor(newest / block_entries) do
    blocks[#blocks + 1] = 'q:' .. encoding .. ':' .. text(block)
  end
  return redis.call('HMGET', conversation, unpack(blocks))
end

-- {path, mark, …} of documents, '' for one without a mark. *paths*: one a line; the marks of those under shared/ are
-- kept apart.
local function marks_of(paths, own_marks, shared_marks)
  local own, shared, found = {}, {}, {}
  for path in string.gmatch(paths, '[^\n]+') do
    local within = string.match(path, '^shared/(.+)$')
    if within then
      shared[#shared + 1] = within
    else
      own[#own + 1] = path
    end
  end
  local function look_up(marks, names, prefix)
    if #names == 0 then return end
    for i, mark in ipairs(redis.call('HMGET', marks, unpack(names))) do
      found[#found + 1] = prefix .. names[i]
      found[#found + 1] = mark or ''
    end
  end
  look_up(own_marks, own, '')
  look_up(shared_marks, shared, 'shared/')
  return found
end

-- What the reader lacks: kind of reply, first place, entries, pinned entries before the first. *held*: the place up to
-- which it holds the conversation, if its generation and chain hash are of this history.
local function entries_for(conversation, header, newest, held, ARGV)
  local bytes, bytes_max, mode, tokens_min = tonumber(header.b), tonumber(ARGV[2]), ARGV[6], tonumber(ARGV[7])
  -- A reply has room for one entry however large, but where its reader would rather ask again.
  local least = bytes_max < 0 and 0 or 1
  bytes_max = math.abs(bytes_max)
  local entries, entries_bytes, first = {}, 0, 1

  local function take(_, entry)
    entries_bytes = entries_bytes + #entry
    if entries_bytes > bytes_max and #entries >= least then return true end
    entries[#entries + 1] = entry
  end

  local function read_news()
    if ARGV[3] ~= header.g or held >= newest or held < 1 then return false end
    first = held + 1
    local belongs = false
    walk(conversation, held, newest, 1, chunk_for(bytes, newest, newest - held + 1), function(seq, entry)
      if seq > held then return take(seq, entry) end
      belongs = string.sub(entry, 1, #ARGV[5] + 1) == ARGV[5] .. ' '
      return not belongs
    end)
    return belongs
  end

  local function read_tail(last)
    local average = math.max(1, tonumber(header.w) / newest)
    local wanted = math.ceil(tokens_min / average * 1.25) + 16
    local backwards, tokens = {}, 0
    walk(conversation, last, 1, -1, chunk_for(bytes, newest, wanted), function(seq, entry)
      entries_bytes = entries_bytes + #entry
      if entries_bytes > bytes_max and #backwards >= least then return true end
      backwards[#backwards + 1] = entry
      first = seq
      local kind = kind_of(entry)
      if kind ~= 's' and is_item(entry) then tokens = tokens + tokens_of(entry) end
      return tokens >= tokens_min and kind == 'u'
    end)
    for i = #backwards, 1, -1 do entries[#entries + 1] = backwards[i] end
  end

  local function read_pinned()
    local places, pinned = {}, {}
    for place in string.gmatch(header.pin .. ',' .. (header.y or ''), '%d+') do
      if tonumber(place) < first then places[#places + 1] = place end
    end
    for start = 1, #places, UNPACK_MAX do
      local some = {unpack(places, start, math.min(start + UNPACK_MAX - 1, #places))}
      for i, entry in ipairs(redis.call('HMGET', conversation, unpack(some))) do
        pinned[#pinned + 1] = some[i]
        pinned[#pinned + 1] = entry
      end
    end
    return pinned
  end

  if ARGV[10] ~= '' then
    read_tail(tonumber(ARGV[10]) - 1)
    return 'older', first, entries, read_pinned()
  end
  if ARGV[3] ~= '' and read_news() then return 'news', first, entries, {} end
  entries, entries_bytes, first = {}, 0, 1
  if newest > 0 and mode == 'tail' then
    read_tail(newest)
    return mode, first, entries, read_pinned()
  end
  if newest > 0 then walk(conversation, 1, newest, 1, chunk_for(bytes, newest, newest), take) end
  return mode, first, entries, {}
end

local function read(KEYS, ARGV)
  local conversation, encoding = KEYS[2], ARGV[8]
  local header = fields_of(conversation,
    {'g', 'v', 'h', 'n', 'e', 't', 'c', 'm', 'w', 'd', 'o', 'pin', 'y', 'b', 'docs'})
  if not header.g then return {'unknown'} end
  local removed = tonumber(header.o or 0)
  local newest, held = tonumber(header.v) - removed, tonumber(ARGV[4]) - removed
  local kind, first, entries, pinned = 'news', newest + 1, {}, {}
  local is_same = ARGV[3] == header.g and held == newest and ARGV[5] == header.h and newest > 0
  if ARGV[10] ~= '' or not is_same then
    kind, first, entries, pinned = entries_for(conversation, header, newest, held, ARGV)
  end
  local has_counts = encoding ~= '' and newest > 0
  local counts = has_counts and kept_counts(conversation, encoding, tonumber(ARGV[9]), first, newest) or {}
  local documents = header.docs and marks_of(header.docs, KEYS[3], KEYS[4]) or {}
  local shown = {header.g, header.v, header.h, header.n, header.e, header.t, header.c, header.m, header.w,
    header.d or '', header.o or '', header.pin, header.y or ''}
  return {'ok', shown, kind, text(first), entries, pinned, counts, documents}
end
