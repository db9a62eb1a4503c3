-- Taking conversations away for good, and the count of it: field `erasure:<mark>` of the tenant's hash,
-- '<id> <begun, ms> <conversations> <items> <bytes> <names in the store> <id>,<id>,…', the ids of those counted last. A
-- script that is ended half-way may have left some of these: they are taken away by the next, and not counted.
-- @part
-- @include charge, fields, index, text

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function read_erasure(line)
  local id, begun, conversations, items, bytes, names, counted =
    string.match(line or '', '^(%x+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S*)$')
  return id and {id = id, begun = tonumber(begun), conversations = tonumber(conversations), items = tonumber(items),
    bytes = tonumber(bytes), names = tonumber(names), counted = counted}
end

-- Some ids of conversations of the user, or, when there are none, of imports that are not finished.
local function ids_in(members, importing, count)
  local ids = redis.call('ZRANGE', members, 0, count - 1)
  return #ids > 0 and ids or redis.call('ZRANGE', importing, 0, count - 1)
end

-- What the caller is told of it.
local function sums_of(erasure)
  return {erasure.id, text(erasure.begun), text(erasure.conversations), text(erasure.items), text(erasure.bytes),
    text(erasure.names)}
end

local function written_erasure(erasure)
  return table.concat(sums_of(erasure), ' ') .. ' ' .. erasure.counted
end

-- Puts *value* into the list that *lists* has for *name*.
local function add_to(lists, name, value)
  lists[name] = lists[name] or {}
  table.insert(lists[name], value)
end

-- Takes away what *batch* lists: of each its *id*, its *header* with v, n and b, its *names* in the store, its *places*
-- (activity index, rows, …), and the *member* set of its agent, if it has any. *mark*: of the erasure, *erasure*. The
-- rows go first: whoever meets the index then asks for the conversation. What is counted is noted before it goes.
local function remove(mark, erasure, batch)
  local counted, names, rows, places, freed = {}, {}, {}, {}, {}
  for _, each in ipairs(batch) do
    counted[#counted + 1] = each.id
    for _, name in ipairs(each.names) do names[#names + 1] = name end
    for at = 1, #each.places, 2 do
      add_to(places, each.places[at], each.id)
      add_to(rows, each.places[at + 1], each.id)
    end
    if each.member then add_to(places, each.member, each.id) end
    if not string.find(',' .. erasure.counted, ',' .. each.id .. ',', 1, true) then
      erasure.names = erasure.names + redis.call('EXISTS', unpack(each.names))
      if each.header.v then
        erasure.conversations = erasure.conversations + 1
        erasure.items = erasure.items + tonumber(each.header.n)
        erasure.bytes = erasure.bytes + tonumber(each.header.b)
        freed[#freed + 1] = each
      end
    end
  end
  if #batch == 0 then return end
  erasure.counted = table.concat(counted, ',') .. ','
  redis.call('HSET', KEYS[1], 'erasure:' .. mark, written_erasure(erasure))
  for _, each in ipairs(freed) do charge(each.id, tonumber(each.header.b), 0) end
  for name, ids in pairs(rows) do redis.call('HDEL', name, unpack(ids)) end
  redis.call('UNLINK', unpack(names))
  for name, ids in pairs(places) do redis.call('ZREM', name, unpack(ids)) end
end

-- The names of *id* that begin at KEYS[at]: *count* of its own, then activity index and rows of each shard that it may
-- stand in; and where those of the next begin.
local function names_at(at, count, id)
  local shards, moving_from = string.match(ARGV[2], '^(%d+) ?(%d*)$')
  local is_twice = moving_from ~= '' and shard_of(id, tonumber(moving_from)) ~= shard_of(id, tonumber(shards))
  local first_place, behind = at + count, at + count + (is_twice and 4 or 2)
  return {unpack(KEYS, at, first_place - 1)}, {unpack(KEYS, first_place, behind - 1)}, behind
end
