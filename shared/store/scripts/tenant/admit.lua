-- For a caller without a permit: the key and its role, then permits of the tenant's rate, as many of those asked for as
-- there are, but not fewer than the operation takes; where that is more than a burst, all of a burst. What is asked of
-- the rate is how many to grant, and how many it takes at least, 1 if it does not say.
-- What follows is the script's own part, as a function; the reply is {its reply, {rate per minute, burst, permits
-- granted, permits left, us until there are enough, us until the burst is whole again}}, the second empty without a
-- rate.
--
-- GCRA: field `tat` is the time at which the burst will be whole again, in us of the store's clock; a permit moves it
-- by one interval, and it may lie a burst ahead. Rounded up, so that never more is granted than the rate earns.
-- Source: ITU-T I.371, the virtual scheduling algorithm.
-- @part
-- @include text, validity
local owner = tenant_of('rate', 'tat')
local rate = {}
do
  local limit, tat = owner.rate, owner.tat
  local refused = refusal_of_key(owner.key)
  if refused then return {refused, {}} end
  if limit then
    local per_minute, burst = string.match(limit, '^(%d+) (%d+)$')
    local time = redis.call('TIME')
    local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
    local interval = 60000000 / tonumber(per_minute)
    local whole = math.ceil(interval * tonumber(burst))
    local ahead = math.max(tonumber(tat or 0) - now, 0)
    if ahead > whole then
      -- Never more than a burst ahead: the store's clock was set back, or the rate changed.
      ahead = whole
      redis.call('HSET', KEYS[1], 'tat', text(now + ahead))
    end
    local wanted, least = string.match(rate_asked, ' (%d+) ?(%d*)$')
    least = math.min(tonumber(least) or 1, tonumber(burst))
    local there = math.max(0, math.floor((whole - ahead) / interval))
    if there < least then
      local wait = math.max(1, math.ceil(ahead + least * interval - whole))
      return {{'denied'}, {per_minute, burst, '0', text(there), text(wait), text(ahead)}}
    end
    local granted = math.min(math.max(tonumber(wanted), least), there)
    ahead = ahead + math.ceil(granted * interval)
    redis.call('HSET', KEYS[1], 'tat', text(now + ahead))
    local left = math.max(0, math.floor((whole - ahead) / interval))
    rate = {per_minute, burst, text(granted), text(left), left > 0 and '0' or text(math.ceil(interval)), text(ahead)}
  end
end
