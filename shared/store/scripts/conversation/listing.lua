-- What lists of conversations have in common: whose rows tell of them, what a filter wants, what is replied.
-- @part
-- @include erasing, members
-- ARGV: key hash, shards, id to start after ('' for none), limit, now_s, scan_max,
--       '1' to name also conversations whose rows are in doubt, user and agent ('' for any), then pairs: metadata key,
--       value
local shards, after, limit, now_s, scan_max = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
if shards ~= owner.shards then return {'shards', owner.shards} end
local names_doubtful, user, agent, FIRST_FILTER = ARGV[7] == '1', ARGV[8], ARGV[9], 10
local filtered = #ARGV >= FIRST_FILTER
local count, moving_from = string.match(shards, '^(%d+) ?(%d*)$')
count, moving_from = tonumber(count), tonumber(moving_from)
local function activity_of(shard) return KEYS[3 + shard] end
local function rows_of(shard) return KEYS[3 + count + shard] end

-- How many texts tell of one conversation.
local ROW = 7

local found, pending, expired = {}, {}, {}

local function is_wanted(metadata, owned)
  if (user ~= '' and owned.us ~= user) or (agent ~= '' and owned.ag ~= agent) then return false end
  if not filtered then return true end
  local values = cjson.decode(metadata)
  for i = FIRST_FILTER, #ARGV, 2 do
    if values[ARGV[i]] ~= ARGV[i + 1] then return false end
  end
  return true
end

-- Takes a conversation into the list, if it belongs there. *time*: when it was written last, nil where no index says
-- it. *field*, *name*: where it was met as one of that user or agent.
local function take(id, time, line, field, name)
  local mark, created, expiry, used, _, metadata, owned = read_row(line or '')
  owned = owned or NOBODY
  if is_being_erased(owned.us) then return end
  local told = {id, PENDING, '', '', '', owned.us, owned.ag}
  if mark ~= '' or not time or (field and owned[field] ~= name) then
    for _, part in ipairs({id, owned.us, owned.ag}) do pending[#pending + 1] = part end
  elseif has_expired(time, expiry, used, now_s) then
    for _, part in ipairs(field and {id, owned.us, owned.ag} or {}) do expired[#expired + 1] = part end
    return
  elseif not is_wanted(metadata, owned) then
    return
  else
    local last_use = text(math.max(math.floor(time / 1000000), tonumber(used)))
    told = {id, created, metadata, last_use, expiry, owned.us, owned.ag}
  end
  for _, part in ipairs(told) do found[#found + 1] = part end
end

local function is_full()
  return #found == ROW * limit
end

local function listed(more, last)
  if #pending > 0 and not names_doubtful then return {'pending', pending} end
  return {'ok', more, last, found, expired}
end
