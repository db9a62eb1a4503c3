-- Which older items match a question best, by the terms that both have.
-- @part
-- @include entries, terms, text
--
-- BM25 over what was there when the newest user message came, so that tools that answer it change nothing; to each
-- item's score parts of its neighbours' are added, by how far they are.

-- A script has room for 200 names: those that nobody else needs stand in a block of their own.
local recalled
do
  local K1, B = 1.2, 0.75
  local NEIGHBOURS = {0.5, 0.3, 0.15}

  -- Of the rarest terms so many postings are looked at.
  local POSTINGS_MAX = 2500

  -- An entry of more bytes is never shown again.
  local RECALLED_BYTES_MAX, RECALL_BYTES_MAX = 65536, 1000000

  -- Where the items stand that have one of *codes*: {[code] = {count = how many, bucket, where its postings begin, how
  -- many, the places of its block, …}}, without those of the open block.
  local function found_in(conversation, index, codes)
    local found, firsts, column_of, names = {}, {}, {}, {}
    for _, code in ipairs(codes) do
      local first = string.sub(code, 1, 1)
      found[code] = {count = 0}
      if not column_of[first] then
        firsts[#firsts + 1] = ':' .. first
        column_of[first] = #firsts
      end
    end
    for block = index.first, index.blocks - 1 do
      local name = 't:' .. text(block)
      names[#names + 1] = name
      for _, first in ipairs(firsts) do names[#names + 1] = name .. first end
    end
    local values = {}
    for from = 1, #names, UNPACK_MAX do
      local last = math.min(from + UNPACK_MAX - 1, #names)
      local some = redis.call('HMGET', conversation, unpack(names, from, last))
      for at = 1, #some do values[from + at - 1] = some[at] end
    end
    local find = string.find
    for _, code in ipairs(codes) do
      local list, size, rest = found[code], 0, '\n' .. string.sub(code, 2)
      local column = column_of[string.sub(code, 1, 1)]
      for block = 1, #names, #firsts + 1 do
        local bucket = values[block + column] or ''
        local _, last = find(bucket, rest, 1, true)
        if last and values[block] then
          local count = ((find(bucket, '\n', last, true) or #bucket + 1) - last - 1) / 3
          list[size + 1], list[size + 2], list[size + 3], list[size + 4] = bucket, last + 1, count, values[block]
          list.count, size = list.count + count, size + 4
        end
      end
    end
    return found
  end

  -- What the *block* that is open has of *code* before *limit*: place, how often, among how many terms, ….
  local function open_postings(block, code, limit)
    local found, size = {}, 0
    local at = string.find(block, code, 1, true)
    local start, next_start = 1, string.find(block, '\n', 2, true)
    while at do
      while next_start and next_start < at do
        start, next_start = next_start, string.find(block, '\n', next_start + 1, true)
      end
      if at > start + PLACE and (at - start - PLACE - 1) % TERM == 0 then
        local place = unpacked(block, start + 1, PLACE)
        if place < limit then
          found[size + 1], found[size + 2] = place, DIGITS[string.byte(block, at + 5)]
          found[size + 3] = count_of(string.sub(block, start + PLACE + 1, (next_start or #block + 1) - 1))
          size = size + 3
        end
      end
      at = string.find(block, code, at + 1, true)
    end
    return found
  end

  -- What of BM25 does not depend on how long an item is.
  local FLAT = K1 * (1 - B)

  -- Adds to *own*, by place, what *count* postings of a closed block say before *limit*, from *at* in its *bucket* on;
  -- a term counts by its *weight*, and an item by its terms times *length*. Without a weight it only counts. Returns
  -- how many these are. This is what takes the time, so there is one call for each.
  local function add_closed(own, bucket, at, count, places, limit, weight, length)
    local byte, digits, before = string.byte, DIGITS, 0
    local marks = {byte(bucket, at, at + 3 * count - 1)}
    for mark = 1, 3 * count, 3 do
      local where = (digits[marks[mark]] * 64 + digits[marks[mark + 1]]) * 5 + 1
      local a, b, c, d, e = byte(places, where, where + 4)
      local place = (digits[a] * 64 + digits[b]) * 64 + digits[c]
      if place < limit then
        before = before + 1
        if weight then
          local often = digits[marks[mark + 2]]
          own[place] = (own[place] or 0) + weight * often / (often + FLAT + length * (digits[d] * 64 + digits[e]))
        end
      end
    end
    return before
  end

  -- A score that *most* of *scores*, by place, reach, or a few more; none is over *bound*.
  local function least_of(scores, most, bound)
    local counts, floor, step = {}, math.floor, bound / 1024
    for _, score in pairs(scores) do
      local at = floor(score / step)
      counts[at] = (counts[at] or 0) + 1
    end
    local above = 0
    for at = 1024, 1, -1 do
      above = above + (counts[at] or 0)
      if above >= most then return at * step end
    end
    return 0
  end

  -- Of *scores*, which are integers, the places of the *most* highest, best first; of equal ones the newest.
  local function best_of(scores, most, bound)
    local least, keys = least_of(scores, most, bound), {}
    for place, score in pairs(scores) do
      if score >= least then keys[#keys + 1] = -(score * 262144 + place) end
    end
    table.sort(keys)
    local places = {}
    for at = 1, math.min(most, #keys) do places[at] = -keys[at] % 262144 end
    return places
  end

  -- How many of the postings that *found* names stand before *limit*: all, but in the last blocks.
  local function count_before(found, limit)
    local count = 0
    for from = 1, #found, 4 do
      local places = found[from + 3]
      if unpacked(places, #places - PLACE - 1, PLACE) < limit then
        count = count + found[from + 2]
      else
        count = count + add_closed({}, found[from], found[from + 1], found[from + 2], places, limit)
      end
    end
    return count
  end

  -- {place, …} before *limit*, best first, at most *most*, and the score of each.
  local function ranked(conversation, index, codes, limit, items, terms, most)
    local found = found_in(conversation, index, codes)
    table.sort(codes, function(a, b)
      if found[a].count ~= found[b].count then return found[a].count < found[b].count end
      return a < b
    end)
    local own, looked, length = {}, 0, K1 * B / math.max(1, terms / math.max(1, items))
    local bound, floor = 1, math.floor
    for _, code in ipairs(codes) do
      local list, open = found[code], open_postings(index.block, code, limit)
      local count = count_before(list, limit) + #open / 3
      -- One that stands everywhere says little, and takes long.
      if looked > 0 and looked + count > POSTINGS_MAX then break end
      looked = looked + count
      local weight = 1000 * (K1 + 1) * math.log(1 + (math.max(items, count) - count + 0.5) / (count + 0.5))
      bound = bound + weight
      for at = 1, #open, 3 do
        own[open[at]] = (own[open[at]] or 0) + weight * open[at + 1] / (open[at + 1] + FLAT + length * open[at + 2])
      end
      for from = 1, #list, 4 do
        add_closed(own, list[from], list[from + 1], list[from + 2], list[from + 3], limit, weight, length)
      end
    end
    -- What is far down gives its neighbours next to nothing.
    local scores, least = {}, least_of(own, 2 * most, bound)
    for place, score in pairs(own) do
      if score >= least then
        scores[place] = (scores[place] or 0) + floor(score)
        for away, part in ipairs(NEIGHBOURS) do
          local share = floor(part * score)
          if place > away then scores[place - away] = (scores[place - away] or 0) + share end
          if place + away < limit then scores[place + away] = (scores[place + away] or 0) + share end
        end
      end
    end
    return best_of(scores, most, 3 * bound), scores
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

  -- What a reader of *log* gets that asks for items, at most *most*, by the terms of *query* ('' for those of the
  -- newest user message), behind those that *include* names: '' where it knows them, which *known* tells; else for
  -- which message and after how many deleted tokens this is, the id of the oldest item that is looked at, {place, score
  -- ('' for included ones), entry, …}, best first, and the days (terms.lua). It holds the entries from *held* on: those
  -- are ''. Others come until they count *tokens_max*.
  function recalled(log, ask)
    local header = log.header
    local message, index = question_of(header.tq), index_of(header, header.g)
    local mark = (message and text(message.place) or '') .. ' ' .. (header.d or '0')
    if ask.known == mark then return '' end
    local limit = message and message.place or log.newest + 1
    local oldest = index and index.items > 0 and index.from or ''
    local places, scores = {}, {}
    if message and index then
      -- What was added before it since then is left to the next message: tools that answer this one move nothing.
      if message.first >= index.first then index.first, oldest = message.first, message.from end
      if math.min(message.items, index.items) == 0 then oldest = '' end
      local codes, seen, wanted = {}, {}, ask.query ~= '' and ask.query or message.codes
      for from = 1, #wanted, TERM - 1 do
        local code = string.sub(wanted, from, from + TERM - 2)
        if not seen[code] then codes[#codes + 1] = code end
        seen[code] = true
      end
      places, scores = ranked(log.name, index, codes, limit, message.items, message.terms, ask.most)
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
    return {mark, oldest, list, header.td or ''}
  end
end
