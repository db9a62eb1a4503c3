-- The tenant's conversations, newest activity first, those with the wanted metadata. One that has expired leaves
-- its place in the indexes behind, so each row says when it was last used and how long it lives after that.
-- @reads
-- @include listing
-- KEYS: tenant, what is left of the one to start after, the activity index of each shard, the rows of each
-- ARGV: as listing.lua
-- Reply: 'ok', '1' if there may be more, id to go on after,
--        {id, created_at, metadata, last use, expiry, user, agent, …}, with '?' and '' for what a row in doubt does not
--        say, {id, user, agent, …} of those that have expired and still stand in the set of a user or an agent
--        | 'unauthorised' | 'shards', how many | 'after'
--        | 'pending', {id, user, agent, …}: whose rows are to be made right first, and whose these say they are
local start = nil
if after ~= '' then
  start = redis.call('ZSCORE', activity_of(shard_of(after, count)), after)
    or (moving_from and redis.call('ZSCORE', activity_of(shard_of(after, moving_from)), after))
    or string.match(redis.call('GET', KEYS[2]) or '', ' (%d+)$')
  if not start then return {'after'} end
  start = tonumber(start)
end

-- The next of a shard: ids, times and rows, read a portion at a time; *at* is the first that was not taken yet.
local portion = math.ceil((filtered and scan_max or limit + 1) / count) + (count > 1 and 8 or 0)
local function refill(source)
  while not source.is_out and source.at > #source.ids do
    local scored = redis.call('ZREVRANGEBYSCORE', activity_of(source.shard), start and text(start) or '+inf', '-inf',
      'WITHSCORES', 'LIMIT', text(source.offset), text(portion))
    source.is_out, source.offset = #scored < 2 * portion, source.offset + portion
    source.ids, source.times, source.at = {}, {}, 1
    local ids, newer = {}, {}
    for i = 1, #scored, 2 do ids[#ids + 1] = scored[i] end
    local is_moving = moving_from and source.shard < moving_from and #ids > 0
    -- What was written since the rows began to move stands in both shards; where it is to go, it is right.
    if is_moving then newer = redis.call('ZMSCORE', activity_of(source.shard + moving_from), unpack(ids)) end
    for i, id in ipairs(ids) do
      local time = tonumber(scored[2 * i])
      -- Of those written at the same instant some come before the one to start after.
      if not newer[i] and (not start or time < start or (time == start and id < after)) then
        source.ids[#source.ids + 1] = id
        source.times[#source.times + 1] = time
      end
    end
    if #source.ids > 0 then
      source.rows = redis.call('HMGET', rows_of(source.shard), unpack(source.ids))
      local moved = is_moving and redis.call('HMGET', rows_of(source.shard + moving_from), unpack(source.ids)) or {}
      for i, line in ipairs(moved) do source.rows[i] = line or source.rows[i] end
    end
  end
end

local sources = {}
for shard = 0, count - 1 do
  sources[#sources + 1] = {shard = shard, offset = 0, ids = {}, times = {}, rows = {}, at = 1, is_out = false}
end
-- The source of what was written last among what was not taken yet, nil when all was.
local function newest_source()
  local best, best_time, best_id = nil, nil, nil
  for _, source in ipairs(sources) do
    refill(source)
    local id, time = source.ids[source.at], source.times[source.at]
    if id and (not best or time > best_time or (time == best_time and id > best_id)) then
      best, best_time, best_id = source, time, id
    end
  end
  return best
end

local last, more, looked_at = '', '0', 0
while true do
  local source = newest_source()
  if not source then break end
  if is_full() or (filtered and looked_at == scan_max) then
    more = '1'
    break
  end
  local id, time, line = source.ids[source.at], source.times[source.at], source.rows[source.at]
  source.at = source.at + 1
  last, looked_at = id, looked_at + 1
  take(id, time, line)
end
return listed(more, last)
