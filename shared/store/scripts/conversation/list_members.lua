-- The conversations of a user, of an agent, or of both, newest first, those with the wanted metadata. It walks the set
-- of the one, of both the smaller; each of its conversations is as its row says.
-- @reads
-- @include listing
-- KEYS: tenant, what is left of the one to start after, the activity index of each shard, the rows of each, the sets of
--       the user and of the agent
-- ARGV: as listing.lua
-- Reply: as list.lua
local field, name, set = 'us', user, KEYS[3 + 2 * count]
if user == '' then
  field, name = 'ag', agent
elseif agent ~= '' and redis.call('ZCARD', KEYS[4 + 2 * count]) < redis.call('ZCARD', set) then
  field, name, set = 'ag', agent, KEYS[4 + 2 * count]
end

-- Where the list goes on: what left the set since is where it was. To the second only, where it is nobody's by now:
-- then some may come twice, and none is left out.
local function place_of(id)
  local score = redis.call('ZSCORE', set, id)
  if score then return tonumber(score) end
  local left = string.match(redis.call('GET', KEYS[2]) or '', '^%x+ (%d+) %d+$')
  if left then return tonumber(left) end
  for _, each in ipairs({count, moving_from}) do
    local mark, created, _, _, _, _, owned = read_row(redis.call('HGET', rows_of(shard_of(id, each)), id) or '')
    if mark and created ~= '0' then return created_us(created, owned.cu and owned or {cu = 999999}) end
  end
end

local start = nil
if after ~= '' then
  start = place_of(after)
  if not start then return {'after'} end
end

-- When conversations were written last, and their rows, in the order of *ids*.
local function facts_of(ids)
  local places, times, lines = {}, {}, {}
  local function look(shard, which)
    local some = {}
    for _, at in ipairs(which) do some[#some + 1] = ids[at] end
    local written = redis.call('ZMSCORE', activity_of(shard), unpack(some))
    for i, line in ipairs(redis.call('HMGET', rows_of(shard), unpack(some))) do
      local at = which[i]
      times[at], lines[at] = times[at] or written[i], lines[at] or line
    end
  end
  for at, id in ipairs(ids) do
    local shard = shard_of(id, count)
    places[shard] = places[shard] or {}
    places[shard][#places[shard] + 1] = at
  end
  for shard, which in pairs(places) do
    look(shard, which)
    -- What did not move yet. What stands in both shards is right where it is to go.
    if moving_from and shard >= moving_from then look(shard - moving_from, which) end
  end
  return times, lines
end

-- Without a filter that a row decides nearly all are taken.
local decides_by_row = filtered or (user ~= '' and agent ~= '')
local portion = decides_by_row and scan_max or math.min(scan_max, limit + 8)
local last, more, looked_at, offset, is_out = '', '0', 0, 0, false
while not is_out and more == '0' do
  local scored = redis.call('ZREVRANGEBYSCORE', set, start and text(start) or '+inf', '-inf', 'WITHSCORES', 'LIMIT',
    text(offset), text(portion))
  is_out, offset = #scored < 2 * portion, offset + portion
  local ids = {}
  for i = 1, #scored, 2 do
    -- Of those made at the same instant some come before the one to start after.
    if not start or tonumber(scored[i + 1]) < start or scored[i] < after then ids[#ids + 1] = scored[i] end
  end
  local times, lines = {}, {}
  if #ids > 0 then times, lines = facts_of(ids) end
  for at, id in ipairs(ids) do
    if is_full() or looked_at == scan_max then
      more = '1'
      break
    end
    last, looked_at = id, looked_at + 1
    take(id, times[at] and tonumber(times[at]), lines[at], field, name)
  end
end
return listed(more, last)
