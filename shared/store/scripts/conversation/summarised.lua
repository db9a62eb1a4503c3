-- What a summary stands for, and what is left of one.
-- @part
-- @include entries
--
-- A conversation has one summary, the newest: field y of the hash is its place, '' or none for no summary. One that is
-- replaced or deleted leaves the store at once; the blank keeps its place in the chain until compaction takes it out.

-- The place of the last item that the summary in *entry* stands for: the last of its facts.
local function through_of(entry)
  return tonumber(string.match(facts_of(entry), ',(%d+)%]$'))
end

local function without_summary(entry)
  return string.match(entry, '^%x+ %d+ ') .. 'z []\n'
end

-- What the items count that the summary stands for, and the id of the last of them; nil where no summary says it.
local function covered_by(header)
  local id, tokens = string.match(header.sc or '', '^(%S+) (%d+)$')
  return tonumber(tokens), id
end

-- Whether the item at *place* is one that the summary at *y* stands for.
local function is_summarised(conversation, y, place)
  if not y or y == '' or not place then return false end
  return tonumber(place) <= through_of(redis.call('HGET', conversation, y))
end
