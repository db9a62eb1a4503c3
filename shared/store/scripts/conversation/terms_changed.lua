-- What becomes of a conversation's terms when items go, or get other places.
-- @part
-- @include entries, terms, text

local BUCKETS = {}
for at = 1, 64 do BUCKETS[at] = string.sub(ALPHABET, at, at) end

-- The fields of a closed block but for its places, and what they hold, false for none.
local function buckets_of(conversation, block)
  local names = {}
  for at, bucket in ipairs(BUCKETS) do names[at] = 't:' .. text(block) .. ':' .. bucket end
  return names, redis.call('HMGET', conversation, unpack(names))
end

-- The places of the closed blocks of *index*: {[block] = what its field holds}.
local function places_of(conversation, index)
  local names, found = {}, {}
  for block = index.first, index.blocks - 1 do names[#names + 1] = 't:' .. text(block) end
  for from = 1, #names, UNPACK_MAX do
    local some = {unpack(names, from, math.min(from + UNPACK_MAX - 1, #names))}
    for at, value in ipairs(redis.call('HMGET', conversation, unpack(some))) do
      found[index.first + from - 2 + at] = value or ''
    end
  end
  return found
end

-- Where *place* stands among the *places* of a block, nil where it does not.
local function where_in(places, place)
  local characters = packed(place, PLACE)
  local at = string.find(places, characters, 1, true)
  while at and at % (PLACE + 2) ~= 1 do at = string.find(places, characters, at + 1, true) end
  return at
end

-- *bucket* without the postings of items for which is_gone(which one of the block) holds.
local function without(bucket, is_gone)
  local kept = {}
  for rest, postings in string.gmatch(bucket, '\n(....)([^\n]*)') do
    local left = {}
    for at = 1, #postings, 3 do
      if not is_gone(unpacked(postings, at, 2)) then left[#left + 1] = string.sub(postings, at, at + 2) end
    end
    if #left > 0 then kept[#kept + 1] = '\n' .. rest .. table.concat(left) end
  end
  return table.concat(kept)
end

-- Takes the terms of the item at *place* out of the index, by *fields* that are to be set; returns how many bytes more
-- that takes, which is less than none.
local function remove_terms(conversation, header, place, fields)
  local index, size = index_of(header, header.g), 0
  local question = question_of(header.tq)
  if question and question.place == place then
    fields[#fields + 1], fields[#fields + 2] = 'tq', ''
    size = size - #header.tq
  end
  if not index or index.items == 0 then return size end
  local start = string.find(index.block, '\n' .. packed(place, PLACE), 1, true)
  if start then
    local finish = string.find(index.block, '\n', start + 1, true) or #index.block + 1
    local terms = string.sub(index.block, start + 1 + PLACE, finish - 1)
    index.block = string.sub(index.block, 1, start - 1) .. string.sub(index.block, finish)
    index.open, index.items, index.terms = index.open - 1, index.items - 1, index.terms - count_of(terms)
    fields[#fields + 1], fields[#fields + 2] = 'to', index.block
    fields[#fields + 1], fields[#fields + 2] = 'ti', written_index(index, header.g)
    return size + start - finish
  end
  for block, places in pairs(places_of(conversation, index)) do
    local at = where_in(places, place)
    if at then
      local mark = (at - 1) / (PLACE + 2)
      local names, buckets = buckets_of(conversation, block)
      for i, bucket in ipairs(buckets) do
        local left = bucket and without(bucket, function(which) return which == mark end)
        if left and #left < #bucket then
          fields[#fields + 1], fields[#fields + 2] = names[i], left
          size = size + #left - #bucket
        end
      end
      index.items, index.terms = index.items - 1, index.terms - unpacked(places, at + PLACE, 2)
      -- Its place stays, and has no terms.
      fields[#fields + 1] = 't:' .. text(block)
      fields[#fields + 1] = string.sub(places, 1, at + PLACE - 1) .. packed(0, 2) .. string.sub(places, at + PLACE + 2)
      fields[#fields + 1], fields[#fields + 2] = 'ti', written_index(index, header.g)
      return size
    end
  end
  return size
end

-- Of the index of *conversation* what a fork up to the place *last* has: *set* is given its fields, *doom* those that
-- it lost; returns how many bytes more it takes, less than none. *generation*: that of the fork, for which so many
-- tokens were *written*.
local function cut_terms(conversation, header, last, generation, written, set, doom)
  local index, size = index_of(header, header.g), 0
  local question = question_of(header.tq)
  if question and question.place > last then
    doom('tq')
    size = size - #header.tq
  end
  if header.td then
    local days = string.gsub(header.td, '(%d+):%d+;', function(place) return tonumber(place) > last and '' or nil end)
    set('td', days)
    size = size + #days - #header.td
  end
  if not index then return size end
  local kept, items, terms, open = {}, 0, 0, 0
  each_line(index.block, function(place, said)
    if place > last then return end
    kept[#kept + 1] = '\n' .. packed(place, PLACE) .. said
    open, terms = open + 1, terms + count_of(said)
  end)
  local block = table.concat(kept)
  size = size + #block - #index.block
  local blocks = index.blocks
  for number, places in pairs(places_of(conversation, index)) do
    local stay = 0
    for at = 1, #places, PLACE + 2 do
      if unpacked(places, at, PLACE) <= last then
        local count = unpacked(places, at + PLACE, 2)
        stay, terms = stay + 1, terms + count
        if count > 0 then items = items + 1 end
      end
    end
    if stay * (PLACE + 2) < #places then
      local names, buckets = buckets_of(conversation, number)
      local left = string.sub(places, 1, stay * (PLACE + 2))
      size = size + #left - #places
      if stay == 0 then
        blocks = math.min(blocks, number)
        doom('t:' .. text(number))
      else
        set('t:' .. text(number), left)
      end
      for i, bucket in ipairs(buckets) do
        if bucket then
          local rest = stay == 0 and '' or without(bucket, function(which) return which >= stay end)
          size = size + #rest - #bucket
          if rest == '' then doom(names[i]) else set(names[i], rest) end
        end
      end
    end
  end
  local from = items + open > 0 and index.from or ''
  -- Where something was appended without terms the fork has to look for it as its conversation has.
  local made = {first = index.first, blocks = blocks, items = items + open, terms = terms, open = open, from = from,
    lowest = math.min(index.lowest, last + 1), written = index.written == header.w and text(written) or '-'}
  set('to', block)
  set('ti', written_index(made, generation))
  return size
end

-- Writes the index of *conversation* by *set*, as it is once entries have the places that new_place_of(place) says;
-- returns how many bytes it takes.
local function move_terms(conversation, header, new_place_of, generation, set)
  local index, size = index_of(header, header.g), 0
  local function put(name, value)
    set(name, value)
    size = size + #value
  end
  local place_asking, rest = string.match(header.tq or '', '^(%d+)( .*)$')
  if place_asking then put('tq', text(new_place_of(tonumber(place_asking))) .. rest) end
  if header.td then
    put('td', (string.gsub(header.td, '(%d+):', function(place)
      return text(new_place_of(tonumber(place) - 1) + 1) .. ':'
    end)))
  end
  if not index then return size end
  index.lowest = new_place_of(index.lowest - 1) + 1
  local lines = {}
  each_line(index.block, function(place, terms)
    lines[#lines + 1] = '\n' .. packed(new_place_of(place), PLACE) .. terms
  end)
  put('to', table.concat(lines))
  for block, places in pairs(places_of(conversation, index)) do
    local placed = {}
    for at = 1, #places, PLACE + 2 do
      local place = new_place_of(unpacked(places, at, PLACE))
      placed[#placed + 1] = packed(place, PLACE) .. string.sub(places, at + PLACE, at + PLACE + 1)
    end
    put('t:' .. text(block), table.concat(placed))
    local names, buckets = buckets_of(conversation, block)
    for i, bucket in ipairs(buckets) do
      if bucket then put(names[i], bucket) end
    end
  end
  set('ti', written_index(index, generation))
  return size
end
