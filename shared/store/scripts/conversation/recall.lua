-- Which older items match a question best, by the terms that both have.
-- @part
-- @include entries, terms, text
--
-- BM25 over what was there when the newest user message came, so that tools that answer it change nothing; to each
-- item's score parts of its neighbours' are added, by how far they are.

local K1, B = 1.2, 0.75
local NEIGHBOURS = {0.5, 0.3, 0.15}

-- Of the rarest terms so many postings are looked at.
local POSTINGS_MAX = 2500

-- An entry of more bytes is never shown again.
local RECALLED_BYTES_MAX, RECALL_BYTES_MAX = 65536, 1000000

-- Where the items stand that have one of *codes*: {[code] = {count = how many, bucket, where its postings begin, the
-- places of its block, …}}, without those of the open block.
local function found_in(conversation, index, codes)
  local found, firsts, names = {}, {}, {}
  for _, code in ipairs(codes) do
    found[code] = {count = 0}
    firsts[string.sub(code, 1, 1)] = true
  end
  for block = index.first, index.blocks - 1 do
    local name = 't:' .. text(block)
    names[#names + 1] = name
    for bucket in pairs(firsts) do names[#names + 1] = name .. ':' .. bucket end
  end
  local values = {}
  for from = 1, #names, UNPACK_MAX do
    local some = {unpack(names, from, math.min(from + UNPACK_MAX - 1, #names))}
    for at, value in ipairs(redis.call('HMGET', conversation, unpack(some))) do values[some[at]] = value or nil end
  end
  local find, sub = string.find, string.sub
  for block = index.first, index.blocks - 1 do
    local name = 't:' .. text(block)
    local places = values[name]
    for _, code in ipairs(codes) do
      local bucket = places and values[name .. ':' .. sub(code, 1, 1)]
      local _, last = find(bucket or '', '\n' .. sub(code, 2), 1, true)
      if last then
        local list, size = found[code], #found[code]
        list[size + 1], list[size + 2], list[size + 3] = bucket, last + 1, places
        list.count = list.count + ((find(bucket, '\n', last, true) or #bucket + 1) - last - 1) / 3
      end
    end
  end
  return found
end

-- Adds to *list* what the *block* that is open has of *code* before *limit*: place, how often, its terms, ….
local function add_open(list, block, code, limit)
  local at = string.find(block, code, 1, true)
  local start, next_start = 1, string.find(block, '\n', 2, true)
  while at do
    while next_start and next_start < at do
      start, next_start = next_start, string.find(block, '\n', next_start + 1, true)
    end
    if at > start + PLACE and (at - start - PLACE - 1) % TERM == 0 then
      local place = unpacked(block, start + 1, PLACE)
      if place < limit then
        local size = #list
        list[size + 1], list[size + 2] = place, DIGITS[string.byte(block, at + 5)]
        list[size + 3] = count_of(string.sub(block, start + PLACE + 1, (next_start or #block + 1) - 1))
      end
    end
    at = string.find(block, code, at + 1, true)
  end
end

-- Adds to *list* the same of the closed blocks that *found* names.
local function add_closed(list, found, limit)
  local byte, digits = string.byte, DIGITS
  for from = 1, #found, 3 do
    local bucket, at, places = found[from], found[from + 1], found[from + 2]
    while true do
      local a, b, often = byte(bucket, at, at + 2)
      if not a or a == 10 then break end
      local where = (digits[a] * 64 + digits[b]) * (PLACE + 2) + 1
      local c, d, e, f, g = byte(places, where, where + PLACE + 1)
      local place = (digits[c] * 64 + digits[d]) * 64 + digits[e]
      if place < limit then
        local size = #list
        list[size + 1], list[size + 2], list[size + 3] = place, digits[often], digits[f] * 64 + digits[g]
      end
      at = at + 3
    end
  end
end

-- Of *scores* by place, which are integers, the places of the *most* highest, best first; of equal ones the newest.
local function best_of(scores, most)
  local highest, counts, all = 1, {}, 0
  for _, score in pairs(scores) do
    if score > highest then highest = score end
    all = all + 1
  end
  -- Which of 512 steps the last one is on tells a pass over them; only what is above is put in order.
  local step, least = highest / 512, 0
  if all > most then
    for _, score in pairs(scores) do
      local at = math.floor(score / step)
      counts[at] = (counts[at] or 0) + 1
    end
    local above = 0
    for at = 512, 0, -1 do
      above = above + (counts[at] or 0)
      if above >= most then
        least = at * step
        break
      end
    end
  end
  local keys = {}
  for place, score in pairs(scores) do
    if score >= least then keys[#keys + 1] = -(score * 262144 + place) end
  end
  table.sort(keys)
  local places = {}
  for at = 1, math.min(most, #keys) do places[at] = -keys[at] % 262144 end
  return places
end

-- {place, …} before *limit*, best first, at most *most*, and the score of each.
local function ranked(conversation, index, codes, limit, items, terms, most)
  local found = found_in(conversation, index, codes)
  table.sort(codes, function(a, b)
    if found[a].count ~= found[b].count then return found[a].count < found[b].count end
    return a < b
  end)
  local own, looked, average = {}, 0, math.max(1, terms / math.max(1, items))
  for _, code in ipairs(codes) do
    local list = {}
    add_open(list, index.block, code, limit)
    add_closed(list, found[code], limit)
    local count = #list / 3
    local rarity = math.log(1 + (math.max(items, count) - count + 0.5) / (count + 0.5))
    for at = 1, #list, 3 do
      local place, often = list[at], list[at + 1]
      local length = K1 * (1 - B + B * list[at + 2] / average)
      own[place] = (own[place] or 0) + math.floor(1000 * rarity * often * (K1 + 1) / (often + length))
    end
    looked = looked + count
    if looked > POSTINGS_MAX then break end
  end
  -- What is far down gives its neighbours next to nothing.
  local scores = {}
  for _, place in ipairs(best_of(own, 4 * most)) do
    local score = own[place]
    scores[place] = (scores[place] or 0) + score
    for away, part in ipairs(NEIGHBOURS) do
      local share = math.floor(part * score)
      if place > away then scores[place - away] = (scores[place - away] or 0) + share end
      if place + away < limit then scores[place + away] = (scores[place + away] or 0) + share end
    end
  end
  return best_of(scores, most), scores
end

-- The places of the items that *include* names by their ids, with commas, before *limit*.
local function included(conversation, include, limit)
  local names, places = {}, {}
  for id in string.gmatch(include, '[^,]+') do names[#names + 1] = 'i:' .. id end
  if #names == 0 then return places end
  for _, place in ipairs(redis.call('HMGET', conversation, unpack(names))) do
    local number = tonumber(place or '')
    if number and number % 1 == 0 and number < limit then places[#places + 1] = number end
  end
  return places
end

-- What a reader of *log* gets that asks for items, at most *most*, by the terms of *query* ('' for those of the newest
-- user message), behind those that *include* names: '' where it knows them, which *known* tells; else for which message
-- and after how many deleted tokens this is, the id of the oldest item that is looked at, {place, score ('' for
-- included ones), entry, …}, best first, and the days (terms.lua). It holds the entries from *held* on: those are ''.
-- Others come until they count *tokens_max*.
local function recalled(log, ask)
  local header = log.header
  local place, items, terms, asked = string.match(header.tq or '', '^(%d+) (%d+) (%d+) (%S*)$')
  local mark = (place or '') .. ' ' .. (header.d or '0')
  if ask.known == mark then return '' end
  local index, limit = index_of(header, header.g), tonumber(place or log.newest + 1)
  local places, scores = {}, {}
  if place and index.items > 0 then
    local codes, seen, wanted = {}, {}, ask.query ~= '' and ask.query or asked
    for from = 1, #wanted, TERM - 1 do
      local code = string.sub(wanted, from, from + TERM - 2)
      if not seen[code] then codes[#codes + 1] = code end
      seen[code] = true
    end
    places, scores = ranked(log.name, index, codes, limit, tonumber(items), tonumber(terms), ask.most)
  end
  local all, is_included = included(log.name, ask.include, limit), {}
  for _, each in ipairs(all) do is_included[each] = true end
  for _, each in ipairs(places) do
    if not is_included[each] then all[#all + 1] = each end
  end
  local lacking, entries = {}, {}
  for _, each in ipairs(all) do
    if each < ask.held then lacking[#lacking + 1] = each end
  end
  local tokens, size, chunk = 0, 0, chunk_for(log.bytes, log.newest, #lacking)
  local function is_full() return tokens > ask.tokens_max or size > RECALL_BYTES_MAX end
  for from = 1, #lacking, chunk do
    if is_full() then break end
    local names = {}
    for at = from, math.min(from + chunk - 1, #lacking) do names[#names + 1] = text(lacking[at]) end
    for at, entry in ipairs(redis.call('HMGET', log.name, unpack(names))) do
      if entry and not is_full() and #entry <= RECALLED_BYTES_MAX and is_item(entry) then
        entries[lacking[from + at - 1]] = entry
        tokens, size = tokens + tokens_of(entry) + 4, size + #entry
      end
    end
  end
  local list = {}
  for _, each in ipairs(all) do
    if each >= ask.held or entries[each] then
      list[#list + 1], list[#list + 2] = text(each), is_included[each] and '' or text(scores[each])
      list[#list + 1] = entries[each] or ''
    end
  end
  return {mark, index.from, list, header.td or ''}
end
